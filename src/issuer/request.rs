//! Bodies of requests, read into what they ask for. Pure.

use std::net::IpAddr;

use serde_json::Value;

use super::ApiError;
use super::expires::{self, ExpiresError};
use super::fields::{Fields, type_of};
use crate::token::{Claims, Host, Orga, Scope, Secret, Selection, StreamName, Tag, UnixSeconds};

/// `POST /secure/stream`, and `POST /secure/orga`.
pub(super) struct Registration {
    pub(super) scope: Scope,
    pub(super) secret: Secret,
}

impl Registration {
    pub(super) fn of_stream(body: &[u8]) -> Result<Self, ApiError> {
        let fields = Fields::read(body, &["streamname", "secret"])?;
        Ok(Self {
            scope: Scope::Stream(StreamName::parse(fields.required("streamname")?)?),
            secret: Secret::new(fields.required("secret")?)?,
        })
    }

    pub(super) fn of_orga(body: &[u8]) -> Result<Self, ApiError> {
        let fields = Fields::read(body, &["orga", "secret"])?;
        Ok(Self {
            scope: Scope::Orga(Orga::parse(fields.required("orga")?)?),
            secret: Secret::new(fields.required("secret")?)?,
        })
    }
}

/// What a `POST /secure/revoke` of `orga` selects. An empty string is no missing key here: it would
/// select more than was meant.
pub(super) fn selection(body: &[u8], orga: &Orga) -> Result<Selection, ApiError> {
    let fields = Fields::read(body, &["streamname", "orga", "kid", "tag", "ip"])?;
    let mut selection = Selection::of(orga.clone());
    if let Some(stream) = fields.text("streamname")? {
        let stream = StreamName::parse(stream)?;
        own(&stream.orga(), orga, "streamname")?;
        selection.stream = Some(stream);
    }
    if let Some(named) = fields.text("orga")? {
        own(&Orga::parse(named)?, orga, "orga")?;
        selection.whole_orga = true;
    }
    selection.kid = fields.text("kid")?.map(str::parse).transpose()?;
    selection.tag = fields.text("tag")?.map(Tag::parse).transpose()?;
    let ip = fields.text("ip")?.map(str::parse::<IpAddr>).transpose();
    selection.ip = ip.map_err(|_| ApiError::Ip)?;
    if selection == Selection::of(orga.clone()) {
        return Err(ApiError::NothingToRevoke);
    }
    Ok(selection)
}

/// The key of a body that names a scope of this kind.
pub(super) fn field_of(scope: &Scope) -> &'static str {
    match scope {
        Scope::Stream(_) => "streamname",
        Scope::Orga(_) => "orga",
    }
}

/// Refuses what is of another organisation than that of the API key.
pub(super) fn own(named: &Orga, orga: &Orga, field: &'static str) -> Result<(), ApiError> {
    match named == orga {
        true => Ok(()),
        false => Err(ApiError::OtherOrganisation { field }),
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
