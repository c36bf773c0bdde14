//! Origins of media (`[[origins]]`) and of pages (`server.page-origins`).

use std::collections::HashSet;
use std::time::Duration;

use url::Url;

use super::ConfigError;
use super::section::Section;

/// One RTMP application that streams are pulled from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// `name`: how logs and metrics call it; lower-case letters, digits and `-`.
    pub name: String,
    /// `url`: the application that we dial, e.g. `rtmp://127.0.0.1:1935/live`; a stream's name is
    /// put behind it.
    pub url: Url,
    /// `aliases`: other URLs by which players may name this origin. Never dialled.
    pub aliases: Vec<Url>,
    /// `element`: the GStreamer element that pulls. Default `rtmpsrc`.
    pub element: SourceElement,
    /// `stream-parameters`: keys of a stream's `?key=value` that are passed on. Default: none.
    pub stream_parameters: Vec<String>,
    /// `timeout`: an origin that is silent for so long is taken for lost. Default 3 s.
    pub timeout: Duration,
}

/// A GStreamer element that pulls by RTMP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceElement {
    /// `rtmpsrc`, over librtmp.
    RtmpSrc,
    /// `rtmp2src`, GStreamer's own.
    Rtmp2Src,
}

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

pub(super) fn read(sections: Vec<Section>) -> Result<Vec<Origin>, ConfigError> {
    let mut origins = Vec::with_capacity(sections.len());
    let mut names = HashSet::new();
    let mut urls = HashSet::new();
    for mut section in sections {
        let name = section.required("name")?;
        if !is_name(&name) {
            return Err(section.wrong(
                "name",
                "must be 1 to 64 of a-z, 0-9 and '-'. Write e.g. \"main\".",
            ));
        }
        if !names.insert(name.clone()) {
            return Err(section.wrong(
                "name",
                format!("\"{name}\" names two origins. Give each its own name."),
            ));
        }
        let url = section.parsed("url", rtmp_url)?.ok_or_else(|| {
            section.wrong("url", "is missing. Write e.g. \"rtmp://127.0.0.1/live\".")
        })?;
        let aliases = section.parsed_list("aliases", rtmp_url)?;
        // A player's `url` selects an origin, so it must select one only.
        for (key, each) in
            std::iter::once(("url", &url)).chain(aliases.iter().map(|alias| ("aliases", alias)))
        {
            if !urls.insert(each.clone()) {
                return Err(section.wrong(
                    key,
                    format!("{each} stands here twice. Name every URL once."),
                ));
            }
        }
        let element = section
            .parsed("element", |text| match text {
                "rtmpsrc" => Ok(SourceElement::RtmpSrc),
                "rtmp2src" => Ok(SourceElement::Rtmp2Src),
                _ => Err(format!(
                    "\"{text}\" is not supported. Write \"rtmpsrc\" or \"rtmp2src\"."
                )),
            })?
            .unwrap_or(SourceElement::RtmpSrc);
        let stream_parameters = section.parsed_list("stream-parameters", |text| {
            if is_parameter(text) {
                return Ok(text.to_owned());
            }
            Err(format!(
                "\"{text}\" is not a parameter's key. Write 1 to 64 letters, digits, '-' and '_'."
            ))
        })?;
        let timeout = Duration::from_secs(section.whole_seconds("timeout", 3, 1, 60)?);
        section.finish()?;
        origins.push(Origin {
            name,
            url,
            aliases,
            element,
            stream_parameters,
            timeout,
        });
    }
    Ok(origins)
}

/// librtmp reads a location as `url key=value …`; so what could part words is refused here, before
/// the URL parser would hide it by encoding.
fn rtmp_url(text: &str) -> Result<Url, String> {
    let wrong = |what: &str| {
        format!(
            "this URL {what}. Write scheme, host and application only: \"rtmp://127.0.0.1/live\"."
        )
    };
    if text
        .chars()
        .any(|c| c.is_whitespace() || c.is_control() || matches!(c, '"' | '\'' | '\\' | '='))
        || !text.is_ascii()
    {
        return Err(wrong(
            "holds a space, a quote, a backslash, '=', or a letter outside ASCII",
        ));
    }
    let url = Url::parse(text).map_err(|_| wrong("cannot be read"))?;
    if !matches!(url.scheme(), "rtmp" | "rtmps") {
        return Err(wrong("is not an RTMP URL"));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(wrong("names no host"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("holds a user or a password"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("holds '?' or '#'"));
    }
    if url.path().trim_matches('/').is_empty() {
        return Err(wrong("names no application"));
    }
    Ok(url)
}

fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

fn is_parameter(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}
