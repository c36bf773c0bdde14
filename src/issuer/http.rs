//! The API over HTTP: method, path and headers in; status, headers and JSON out.

use std::net::IpAddr;

use bytes::Bytes;
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER,
    WWW_AUTHENTICATE,
};
use hyper::{Method, Response, StatusCode};
use serde::Serialize;

use super::{ApiError, Issuer, Operation};
use crate::token::UnixSeconds;

/// Where the seed puts the API key.
pub const API_KEY: HeaderName = HeaderName::from_static("x-bintu-apikey");

impl Issuer {
    /// Answers a request to `/secure/…`. `path` is the request's path as it was sent, `peer` the
    /// client's address after trusted proxies. A body past [`super::BODY_LIMIT`] may come cut, at
    /// least one byte longer than that.
    pub async fn handle(
        &self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
        body: Bytes,
        now: UnixSeconds,
        peer: IpAddr,
    ) -> Response<Bytes> {
        let outcome = match operation(method, path, headers) {
            Ok(operation) => {
                self.answer(operation, only(headers, &API_KEY), &body, now, peer)
                    .await
            }
            Err(error) => Err(self.refuse(error, now, peer)),
        };
        match outcome {
            Ok(answer) => respond(StatusCode::OK, &answer),
            Err(error) => {
                // Not the field: a caller may have put a secret where a key's name belongs.
                tracing::debug!(code = error.code(), %peer, "an API request is refused");
                refusal(&error)
            }
        }
    }
}

fn operation(method: &Method, path: &str, headers: &HeaderMap) -> Result<Operation, ApiError> {
    let operation = match (path, method) {
        ("/secure/stream", &Method::POST) => Operation::Stream,
        ("/secure/token", &Method::POST) => Operation::Token,
        ("/secure/orga", &Method::POST) => Operation::Orga,
        ("/secure/revoke", &Method::POST) => Operation::Revoke,
        ("/secure/orga", &Method::DELETE) => return Ok(Operation::DeleteOrga),
        ("/secure/orga", _) => {
            return Err(ApiError::Method {
                allow: "POST, DELETE",
            });
        }
        ("/secure/stream" | "/secure/token" | "/secure/revoke", _) => {
            return Err(ApiError::Method { allow: "POST" });
        }
        _ => return deletion(method, path),
    };
    let content_type =
        only(headers, &CONTENT_TYPE).and_then(|value| std::str::from_utf8(value).ok());
    if !content_type.is_some_and(is_json) {
        return Err(ApiError::ContentType);
    }
    Ok(operation)
}

/// `DELETE /secure/stream/{streamname}`. A name has one spelling, so nothing is decoded.
fn deletion(method: &Method, path: &str) -> Result<Operation, ApiError> {
    let name = path
        .strip_prefix("/secure/stream/")
        .filter(|name| !name.is_empty() && !name.contains('/'))
        .ok_or(ApiError::NoSuchPath)?;
    match *method {
        Method::DELETE => Ok(Operation::DeleteStream(name.to_owned())),
        _ => Err(ApiError::Method { allow: "DELETE" }),
    }
}

/// The value of a header that is there exactly once: two could be read in two ways.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    values.next().is_none().then(|| first.as_bytes())
}

/// `application/json`, with no parameter or with `charset=utf-8` (RFC 8259 sections 8.1 and 11).
fn is_json(content_type: &str) -> bool {
    let (media_type, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
    let parameter = parameters.trim().to_ascii_lowercase();
    media_type.trim().eq_ignore_ascii_case("application/json")
        && matches!(
            parameter.as_str(),
            "" | "charset=utf-8" | "charset=\"utf-8\""
        )
}

/// What a refusal is answered with.
#[derive(Serialize)]
pub struct ErrorBody<'a> {
    error: ErrorFields<'a>,
}

#[derive(Serialize)]
struct ErrorFields<'a> {
    code: &'static str,
    message: String,
    /// `null` where no field of the body is to blame.
    field: Option<&'a str>,
}

impl<'a> From<&'a ApiError> for ErrorBody<'a> {
    fn from(error: &'a ApiError) -> Self {
        let error = ErrorFields {
            code: error.code(),
            message: error.to_string(),
            field: error.field(),
        };
        Self { error }
    }
}

fn refusal(error: &ApiError) -> Response<Bytes> {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = respond(status, &ErrorBody::from(error));
    let headers = response.headers_mut();
    match error {
        ApiError::Method { allow } => {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        // RFC 9110 section 15.5.2 wants a challenge beside 401.
        ApiError::NoApiKey | ApiError::UnknownApiKey => {
            headers.insert(
                WWW_AUTHENTICATE,
                HeaderValue::from_static("ApiKey header=\"X-BINTU-APIKEY\""),
            );
        }
        ApiError::TooManyFailures { seconds } => {
            headers.insert(RETRY_AFTER, HeaderValue::from(*seconds));
        }
        _ => {}
    }
    response
}

fn respond(status: StatusCode, body: &impl Serialize) -> Response<Bytes> {
    // Serialising these types cannot fail: they have neither maps nor foreign types.
    let mut json = serde_json::to_vec(body).unwrap_or_default();
    json.push(b'\n');
    let mut response = Response::new(Bytes::from(json));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
