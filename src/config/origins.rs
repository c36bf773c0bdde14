//! Origins of media (`[[origins]]`) and of pages (`server.page-origins`).

use std::time::Duration;

use url::Url;

use super::ConfigError;
use super::section::Section;
use crate::origin::{OriginConfig, SourceElement, table};
use crate::token::Orga;

/// The pages of a `page-origins` list, serialised as in RFC 6454 section 6.2; none stands for all.
pub(super) fn pages(entries: Vec<Option<String>>) -> Result<Vec<String>, String> {
    if let [None] = entries.as_slice() {
        return Ok(Vec::new());
    }
    if entries.is_empty() {
        return Err(
            "an empty list would shut every page out. Write [\"*\"] for every page.".to_owned(),
        );
    }
    entries
        .into_iter()
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| "\"*\" allows every page. Write it alone, or not at all.".to_owned())
}

/// One entry of `page-origins`; `None` is `*`.
pub(super) fn page_origin(text: &str) -> Result<Option<String>, String> {
    if text == "*" {
        return Ok(None);
    }
    let wrong = || {
        format!(
            "\"{text}\" is not a page's origin. Write e.g. \"https://www.example.com\", without a path."
        )
    };
    let url = Url::parse(text).map_err(|_| wrong())?;
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let anonymous = url.username().is_empty() && url.password().is_none();
    if !matches!(url.scheme(), "http" | "https") || !bare || !anonymous {
        return Err(wrong());
    }
    Ok(Some(url.origin().ascii_serialization()))
}

pub(super) fn read(sections: Vec<Section>) -> Result<Vec<OriginConfig>, ConfigError> {
    let mut origins = Vec::with_capacity(sections.len());
    for mut section in sections {
        let name = section.required("name")?;
        if !is_name(&name) {
            return Err(section.wrong(
                "name",
                "must be 1 to 64 of a-z, 0-9 and '-'. Write e.g. \"main\".",
            ));
        }
        let url = section.parsed("url", rtmp_url)?.ok_or_else(|| {
            section.wrong("url", "is missing. Write e.g. \"rtmp://127.0.0.1/live\".")
        })?;
        let aliases = section.parsed_list("aliases", rtmp_url)?;
        let organisations = section.parsed_list("organisations", organisation)?;
        let element = section
            .parsed("element", |text| match text {
                "rtmpsrc" => Ok(SourceElement::RtmpSrc),
                "rtmp2src" => Ok(SourceElement::Rtmp2Src),
                _ => Err(format!(
                    "\"{text}\" is not supported. Write \"rtmpsrc\" or \"rtmp2src\"."
                )),
            })?
            .unwrap_or_default();
        let timeout = Duration::from_secs(section.whole_seconds("timeout", 3, 1, 60)?);
        section.finish()?;
        origins.push(OriginConfig {
            name,
            url,
            aliases,
            organisations,
            element,
            timeout,
        });
    }
    Ok(origins)
}

/// One entry of `organisations`.
pub(super) fn organisation(text: &str) -> Result<Orga, String> {
    Orga::parse(text).map_err(|error| format!("\"{text}\": {error}. Write e.g. \"ABCDE\"."))
}

fn rtmp_url(text: &str) -> Result<String, String> {
    match table::check_url(text) {
        Ok(()) => Ok(text.to_owned()),
        Err(problem) => Err(format!(
            "this URL {problem}. Write scheme, host and application only: \"rtmp://127.0.0.1/live\"."
        )),
    }
}

fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}
