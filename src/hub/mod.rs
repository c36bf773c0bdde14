//! Streams by name: one publisher each, any number of granted subscribers.
