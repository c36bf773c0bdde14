//! The OpenAPI 3.1 document of all that the server answers by HTTP. Pure.
//!
//! Made from what answers: the refusals with their codes, states and texts are the API's own values, the
//! bounds its own constants. No macro over types: requests are read strictly, without types of their own
//! that one could be derived from. `tests/openapi.rs` holds the running server to it.

mod doors;
mod issuing;
mod refusals;
mod schemas;

use serde_json::{Value, json};

use crate::issuer::API_KEY;

/// The document, as pretty JSON with a line end.
#[must_use]
pub fn text() -> String {
    format!("{:#}\n", document())
}

/// The document.
#[must_use]
pub fn document() -> Value {
    let mut paths = issuing::paths();
    paths.extend(doors::paths());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "h5live-server",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Issues playback tokens, and plays live streams to those who hold one.",
            "description": DESCRIPTION,
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "The server that this document comes from."}],
        "tags": [
            {"name": "issue", "description": "For backends: register secrets, mint tokens. Needs an API key."},
            {"name": "withdraw", "description": "For backends: take secrets and sessions back. Needs an API key."},
            {"name": "play", "description": "For players: the doors that want a token."},
            {"name": "play openly", "description": "For players: the doors of streams that the operator declares open."},
            {"name": "operate", "description": "For the machines around the server."},
        ],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "apiKey": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "X-BINTU-APIKEY",
                    "description": format!(
                        "The key that `h5live-server account add` has printed for an organisation, in the header \
                         {API_KEY} (in any case), once. It belongs on backends only: a browser needs the token alone."
                    ),
                },
            },
            "schemas": schemas::all(),
            "headers": {
                "RetryAfter": {
                    "description": "Come again after so many seconds.",
                    "schema": {"type": "string", "pattern": "^[0-9]+$"},
                },
            },
        },
    })
}

const DESCRIPTION: &str = "\
h5live plays live streams in browsers to those who hold a token.

1. The operator makes an account for an organisation, `ABCDE` for instance, and hands its API key to the \
organisation's backend.
2. The backend registers a secret for each of its streams (`POST /secure/stream`). A stream's name begins with \
its organisation: `ABCDE-demo`.
3. For a viewer it asks for a token (`POST /secure/token`), which may be bound to an end in time, an address, a \
page's domain and a tag. It hands the four values of the answer to the player, which passes them on to a door \
as query parameters.

An organisation has a secret of its own as well. A token that is made with it opens every stream of the \
organisation.

A refusal of the API has the body `{\"error\": {\"code\", \"message\", \"field\"}}`. Codes do not change between \
versions; messages may. A door answers a refusal with the code that a WebSocket would be closed with.

Lengths of secrets and tags count bytes of UTF-8.";
