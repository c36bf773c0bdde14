//! Without the cargo feature `records` there are none: whoever sets them is told so.

use std::convert::Infallible;

use crate::http::standalone::{Authority, Players};
use crate::token::StreamName;

pub(super) struct Wanted(Infallible);

pub(super) struct Opened(Infallible);

#[derive(Debug, thiserror::Error)]
#[error("no records")]
pub(super) struct RecordsError(Infallible);

impl Wanted {
    pub fn read(_: &str, _: Option<&str>, _: Option<&str>) -> Result<Self, String> {
        Err(
            "records: this element was built without them; build it with the cargo feature \
             records, or set secret-file"
                .to_owned(),
        )
    }

    pub fn open(self, _: &StreamName) -> Result<(Opened, Authority), RecordsError> {
        match self.0 {}
    }
}

impl Opened {
    pub fn follow(&mut self, _: Players) {
        match self.0 {}
    }
}
