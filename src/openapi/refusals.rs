//! What is answered to those who are refused. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::schemas::reference;
use crate::issuer::{ApiError, ErrorBody};

/// Every code of the API.
pub(super) fn api_codes() -> BTreeSet<&'static str> {
    ApiError::every().iter().map(ApiError::code).collect()
}

/// Every code that a door answers with.
pub(super) fn door_codes() -> [u16; 5] {
    [4400, 4503, 4900, 4901, 4903]
}

/// The answers of the API to these refusals, by status.
pub(super) fn of_api(refusals: &[ApiError]) -> Map<String, Value> {
    let mut by_status: BTreeMap<u16, Vec<&ApiError>> = BTreeMap::new();
    for refusal in refusals {
        by_status.entry(refusal.status()).or_default().push(refusal);
    }
    let answers = by_status.into_iter().map(|(status, refusals)| {
        let codes: Vec<_> = refusals.iter().map(|it| it.code()).collect();
        let examples: Map<String, Value> = refusals
            .iter()
            .map(|it| (it.code().to_owned(), json!({"value": ErrorBody::from(*it)})))
            .collect();
        let mut answer = json!({
            "description": format!("{}: {}.", meaning(status), codes.join(", ")),
            "content": {"application/json": {"schema": reference("ApiError"), "examples": examples}},
        });
        match status {
            401 => {
                answer["headers"] = json!({"WWW-Authenticate": {
                    "description": "Which header the key belongs in.",
                    "schema": {"type": "string"},
                }});
            }
            429 => answer["headers"] = json!({"Retry-After": {"$ref": "#/components/headers/RetryAfter"}}),
            _ => {}
        }
        (status.to_string(), answer)
    });
    answers.collect()
}

fn meaning(status: u16) -> &'static str {
    match status {
        400 => "The request is not one that can be done",
        401 => "Whose request it is is not known",
        403 => "It is for another organisation",
        404 => "There is no such thing",
        413 => "The body is too long",
        415 => "The body is not said to be JSON",
        429 => "Too many requests of this address or API key were refused",
        _ => "The server can't do it now",
    }
}

/// The answers of a door that is fetched.
pub(super) fn of_doors() -> Map<String, Value> {
    let answer = |description: &str, code: u16, message: &str| {
        json!({
            "description": description,
            "content": {"application/json": {
                "schema": reference("DoorError"),
                "example": {"error": {"code": code, "message": message}},
            }},
        })
    };
    let mut later = answer(
        "Not now: the stream is not live (after some seconds of waiting for it), the server is full, or the \
         token or its tag plays as often as it may (4503); or tokens \
         can't be verified (4900).",
        4503,
        "The stream is not live; try again later.",
    );
    later["headers"] = json!({"Retry-After": {"$ref": "#/components/headers/RetryAfter"}});
    let answers = [
        (
            "400",
            answer(
                "The request is malformed, or names an origin that this server does not play from.",
                4400,
                "The request is not one that this server can answer.",
            ),
        ),
        (
            "403",
            answer(
                "Not with this token: it does not fit the stream, the address, the page or the other parameters, was \
                 withdrawn, or a newer session took its place (4901); it has expired, or a parameter is missing (4903).",
                4901,
                "The token is not valid for this stream, address or page.",
            ),
        ),
        ("503", later),
    ];
    answers
        .into_iter()
        .map(|(status, answer)| (status.to_owned(), answer))
        .collect()
}
