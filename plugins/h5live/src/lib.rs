//! The loadable plugin: a shell around `h5live::element`.
