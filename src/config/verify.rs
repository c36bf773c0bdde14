//! `[verify]`: in which headers a web server in front tells of its clients' requests.

use hyper::header::HeaderName;

use super::ConfigError;
use super::section::Section;
use crate::http::verify::Headers;

pub(super) fn read(mut section: Section) -> Result<Headers, ConfigError> {
    let default = Headers::default();
    let mut name = |key, default| {
        let read = section.parsed(key, header_name)?;
        Ok::<_, ConfigError>(read.unwrap_or(default))
    };
    let headers = Headers {
        uri: name("uri-header", default.uri)?,
        address: name("address-header", default.address)?,
        origin: name("origin-header", default.origin)?,
        referer: name("referer-header", default.referer)?,
        stream: name("stream-header", default.stream)?,
    };
    section.finish()?;
    Ok(headers)
}

fn header_name(text: &str) -> Result<HeaderName, String> {
    text.parse()
        .map_err(|_| format!("\"{text}\" is not a header's name. Write e.g. \"X-Original-URI\"."))
}
