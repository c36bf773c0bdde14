//! The API below `/secure/`. Pure.

use serde_json::{Map, Value, json};

use super::refusals;
use super::schemas::reference;
use crate::issuer::Operation;

pub(super) fn paths() -> Map<String, Value> {
    let stream = json!({"streamname": "ABCDE-demo", "secret": "0f5e0a0c7b6d4f7c8f2d1b3a59687e4d"});
    let orga = json!({"orga": "ABCDE", "secret": "b1946ac92492d2347c6235b4d2611184"});
    let by_name = json!([{
        "name": "streamname",
        "in": "path",
        "required": true,
        "description": "The stream, as it was registered.",
        "schema": reference("StreamName"),
        "example": "ABCDE-demo",
    }]);
    let paths = [
        (
            "/secure/stream",
            json!({"post": operation(
                "issue", "registerStream", "Register a stream's secret",
                "Does nothing where the stream has this secret already. Another secret takes the place of the one before: \
                 all tokens that were made with that are void at once, and who plays by them is ended (4901) within a second. \
                 A secret that was withdrawn or replaced is not taken again.",
                &Operation::Stream,
                Some((reference("StreamRegistration"), json!({"register": {"value": stream}}))),
                &reference("StreamAnswer"),
            )}),
        ),
        (
            "/secure/stream/{streamname}",
            json!({"parameters": by_name, "delete": operation(
                "withdraw", "withdrawStream", "Withdraw a stream's secret",
                "All tokens that were made with it are void at once and for good, and who plays by them is ended (4901) \
                 within a second. Tokens of the organisation still open the stream.",
                &Operation::DeleteStream(String::new()),
                None,
                &reference("StreamAnswer"),
            )}),
        ),
        (
            "/secure/orga",
            json!({
                "post": operation(
                    "issue", "registerOrga", "Register the organisation's own secret",
                    "An account is made with one, so this replaces it, with the consequences of `POST /secure/stream`.",
                    &Operation::Orga,
                    Some((reference("OrgaRegistration"), json!({"register": {"value": orga}}))),
                    &reference("OrgaAnswer"),
                ),
                "delete": operation(
                    "withdraw", "withdrawOrga", "Withdraw the organisation's own secret",
                    "The organisation is that of the API key. Its tokens for all streams are void at once and for good, and \
                     who plays by them is ended (4901) within a second. Tokens of single streams hold.",
                    &Operation::DeleteOrga,
                    None,
                    &reference("OrgaAnswer"),
                ),
            }),
        ),
        (
            "/secure/token",
            json!({"post": operation(
                "issue", "mintToken", "Make a token",
                "Give `streamname` or `orga`, and what else the token is to be bound to. Everything may be left out that is \
                 not to count; the same request in the same second gives the same token.",
                &Operation::Token,
                Some((
                    json!({"oneOf": [reference("TokenForStream"), reference("TokenForOrga")]}),
                    json!({
                        "tag": {"summary": "(a) one stream, with a tag", "value": {"streamname": "ABCDE-demo", "tag": "viewer 1"}},
                        "organisation": {"summary": "(b) every stream of the organisation", "value": {"orga": "ABCDE", "tag": "viewer 1"}},
                        "address": {"summary": "(c) from one address", "value": {"streamname": "ABCDE-demo", "ip": "192.0.2.7"}},
                        "page": {"summary": "(d) on the pages of one domain", "value": {"streamname": "ABCDE-demo", "tag": "viewer 1", "referer": "demo.example.com"}},
                    }),
                )),
                &reference("TokenAnswer"),
            )}),
        ),
        (
            "/secure/revoke",
            json!({"post": operation(
                "withdraw", "revoke", "End sessions",
                "Ends the sessions that match all that is given, on every door, within a second (4901). One of `streamname`, \
                 `orga` and `kid` given alone also withdraws the secrets behind it, so that their tokens open nothing again. \
                 With anything else sessions end only: whoever holds a good token may come again.",
                &Operation::Revoke,
                Some((
                    reference("Revocation"),
                    json!({
                        "viewer": {"summary": "Who plays by tokens with a tag", "value": {"tag": "viewer 1"}},
                        "address": {"summary": "Who plays a stream from an address", "value": {"streamname": "ABCDE-demo", "ip": "192.0.2.7"}},
                    }),
                )),
                &reference("RevocationAnswer"),
            )}),
        ),
        (
            "/secure/openapi.json",
            json!({"get": {
                "tags": ["operate"],
                "operationId": "openapi",
                "summary": "This document",
                "security": [],
                "responses": {"200": {
                    "description": "OpenAPI 3.1; `h5live-server openapi` prints the same.",
                    "headers": {"Cache-Control": {"schema": {"type": "string"}}},
                    "content": {"application/json": {"schema": {"type": "object"}}},
                }},
            }}),
        ),
    ];
    paths
        .into_iter()
        .map(|(path, item)| (path.to_owned(), item))
        .collect()
}

fn operation(
    tag: &str,
    id: &str,
    summary: &str,
    description: &str,
    operation: &Operation,
    body: Option<(Value, Value)>,
    answer: &Value,
) -> Value {
    let mut responses = refusals::of_api(&operation.refusals());
    let done = json!({"description": "Done.", "content": {"application/json": {"schema": answer}}});
    responses.insert("200".to_owned(), done);
    let mut described = json!({
        "tags": [tag],
        "operationId": id,
        "summary": summary,
        "description": description,
        "security": [{"apiKey": []}],
        "responses": responses,
    });
    if let Some((schema, examples)) = body {
        described["requestBody"] = json!({
            "required": true,
            "description": "One JSON object, at most 16 KiB. Unknown and repeated fields are refused.",
            "content": {"application/json": {"schema": schema, "examples": examples}},
        });
    }
    described
}
