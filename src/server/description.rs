//! The API's description, `GET /secure/openapi.json`: for everybody, and the same for as long as the
//! server runs.

use bytes::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Response};

use crate::http::body::Body;
use crate::http::fetch;
use crate::openapi;

/// Where it is.
pub(super) const PATH: &str = "/secure/openapi.json";

/// The description, made once.
pub(super) struct Description(Bytes);

impl Description {
    pub fn new() -> Self {
        Self(openapi::text().into())
    }

    pub fn answer(&self, method: &Method) -> Response<Body> {
        if let Some(refusal) = fetch::wrong_method(method) {
            return refusal;
        }
        let mut response = Response::new(Body::from(self.0.clone()));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let cache = HeaderValue::from_static("public, max-age=3600");
        headers.insert(CACHE_CONTROL, cache);
        response
    }
}
