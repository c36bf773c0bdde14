//! Bodies of requests, read into what they ask for. Pure.

use std::net::IpAddr;

use serde_json::Value;

use super::ApiError;
use super::expires::{self, ExpiresError};
use super::fields::{Fields, type_of};
use crate::token::{Claims, Host, Orga, Scope, Secret, StreamName, Tag, UnixSeconds};

/// `POST /secure/stream`
pub(super) struct StreamRequest {
    pub(super) stream: StreamName,
    pub(super) secret: Secret,
}

impl StreamRequest {
    pub(super) fn read(body: &[u8]) -> Result<Self, ApiError> {
        let fields = Fields::read(body, &["streamname", "secret"])?;
        Ok(Self {
            stream: StreamName::parse(fields.required("streamname")?)?,
            secret: Secret::new(fields.required("secret")?)?,
        })
    }
}

/// The claims that a `POST /secure/token` asks for.
pub(super) fn claims(body: &[u8], now: UnixSeconds) -> Result<Claims, ApiError> {
    let known = ["streamname", "orga", "expires", "ip", "referer", "tag"];
    let fields = Fields::read(body, &known)?;
    let scope = match (fields.text("streamname")?, fields.text("orga")?) {
        (Some(stream), None) => Scope::Stream(StreamName::parse(stream)?),
        (None, Some(orga)) => Scope::Orga(Orga::parse(orga)?),
        (Some(_), Some(_)) => return Err(ApiError::BothScopes),
        (None, None) => return Err(ApiError::NeitherScope),
    };
    let ip = fields.optional("ip")?.map(str::parse::<IpAddr>).transpose();
    Ok(Claims {
        scope,
        expires: expires_of(&fields)?
            .map(|given| expires::check(given, now))
            .transpose()?,
        ip: ip.map_err(|_| ApiError::Ip)?,
        referer: fields.optional("referer")?.map(Host::bare).transpose()?,
        tag: fields.optional("tag")?.map(Tag::parse).transpose()?,
    })
}

/// `expires` comes as a string or a number; a number such as `1e9` is no whole one by its form.
fn expires_of(fields: &Fields) -> Result<Option<u64>, ApiError> {
    match fields.get("expires") {
        None => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) => Ok(Some(expires::digits(text)?)),
        Some(Value::Number(number)) => Ok(Some(number.as_u64().ok_or(ExpiresError::Form)?)),
        Some(other) => Err(ApiError::WrongType {
            field: "expires",
            wanted: "a string or a number",
            found: type_of(other),
        }),
    }
}
