//! The doors to the streams, and what machines around the server ask. Pure.

use serde_json::{Map, Value, json};

use super::refusals;
use super::schemas::reference;

const WEBSOCKET: &str = "\
The H5Live interface: JSON messages, and fragmented MP4 as binary ones. A refusal is told after the upgrade, by the \
close code: 4400 malformed, 4900 tokens can't be verified now, 4901 the token does not fit or was withdrawn, or a newer session took the place of this one, 4903 it \
has expired or a parameter is missing, 4500 and 4503 try again later. A stream that is not live yet is waited for.";

const PLAYLIST: &str = "\
HLS and LL-HLS: a media playlist with parts, preload hint, blocking reload and delta updates. What it lists stands below a \
capability of this viewer's own, needs no header, cookie or token, and ends with its session. A player that fetches nothing \
for 20 seconds has left.";

const STREAM: &str = "\
Fragmented MP4 that lasts as long as the stream and its viewer: for `<video src>`, ffplay and the like.";

const VERIFY: &str = "\
For a web server in front that serves files of its own (nginx `auth_request` and the like). The client's request comes in \
headers, and is believed from the operator's trusted proxies only. The names of the headers can be configured; these are \
the defaults.";

pub(super) fn paths() -> Map<String, Value> {
    let mut paths = Map::new();
    for (open, tag) in [(false, "play"), (true, "play openly")] {
        let (websocket, fetched) = match open {
            false => ("/h5live/authstream", "/h5live/authhttp"),
            true => ("/h5live/stream", "/h5live/http"),
        };
        let id = |name: &str| format!("{name}{}", if open { "Openly" } else { "" });
        let door = |name: &str, summary, description, answers: Map<String, Value>, query| {
            json!({"get": {
                "tags": [tag],
                "operationId": id(name),
                "summary": summary,
                "description": description,
                "security": [],
                "parameters": query,
                "responses": answers,
            }})
        };
        paths.insert(
            websocket.to_owned(),
            door(
                "play",
                "Play by WebSocket",
                WEBSOCKET,
                upgrade(),
                query(open, &flags()),
            ),
        );
        let media = media_type("The playlist.", "application/vnd.apple.mpegurl");
        let query_of_playlist = query(open, &directives());
        paths.insert(
            format!("{fetched}/playlist.m3u8"),
            door(
                "playlist",
                "Play by HLS",
                PLAYLIST,
                answers(media),
                query_of_playlist,
            ),
        );
        let media = media_type("The stream, as it comes.", "video/mp4");
        paths.insert(
            format!("{fetched}/stream.mp4"),
            door(
                "download",
                "Play one lasting response",
                STREAM,
                answers(media),
                query(open, &[]),
            ),
        );
        paths.insert(
            format!("{fetched}/{{capability}}/{{name}}"),
            door(
                "media",
                "What a playlist lists",
                "Init segments, segments and parts, under the very URIs that the playlist has.",
                resource(),
                resource_name(),
            ),
        );
    }
    paths.insert("/secure/verify".to_owned(), verify());
    paths.insert("/secure/verify/{path}".to_owned(), verify_for_envoy());
    paths.insert(
        "/healthz".to_owned(),
        json!({"get": {
            "tags": ["operate"],
            "operationId": "health",
            "summary": "Whether the server answers",
            "security": [],
            "responses": {"200": plain("It does.")},
        }}),
    );
    paths
}

fn parameter(name: &str, description: &str, schema: Value) -> Value {
    json!({"name": name, "in": "query", "required": false, "description": description, "schema": schema})
}

fn query(open: bool, more: &[Value]) -> Vec<Value> {
    let mut parameters = vec![
        json!({
            "name": "stream",
            "in": "query",
            "required": true,
            "description": "The stream. What follows a `?` in it is ignored.",
            "schema": reference("StreamName"),
            "example": "ABCDE-demo",
        }),
        parameter(
            "url",
            "Which of the server's origins to play from (`h5live.rtmp.url`); no other address is ever connected to. Left out: \
             the first one that the stream's organisation may use.",
            json!({"type": "string", "maxLength": 2048}),
        ),
        parameter(
            "pid",
            "The player's number, constant while it plays: tells two players at one address apart.",
            json!({"type": "string", "maxLength": 64}),
        ),
    ];
    if !open {
        let minted = [
            (
                "token",
                "`token` of the minted answer.",
                json!({"type": "string"}),
            ),
            (
                "options",
                "`options` of the minted answer.",
                json!({"type": "string"}),
            ),
            (
                "expires",
                "`expires` of the minted answer, where it is not empty.",
                json!({"type": "string"}),
            ),
            (
                "tag",
                "`tag` of the minted answer, where it is not empty.",
                json!({"type": "string"}),
            ),
        ];
        parameters.extend(minted.map(|(name, text, schema)| parameter(name, text, schema)));
    }
    parameters.extend_from_slice(more);
    parameters
}

fn flags() -> [Value; 1] {
    let text = "A comma list of: `paused`, media waits for `onPlay`; `checkandclose`, close with 4200 where the token is \
        valid; `metastreamonly`, metadata without media.";
    [parameter("flags", text, json!({"type": "string"}))]
}

fn directives() -> [Value; 3] {
    let number = json!({"type": "integer", "minimum": 0, "format": "int64"});
    [
        parameter(
            "_HLS_msn",
            "Answer when the playlist holds this segment (RFC 8216bis, 6.2.5).",
            number.clone(),
        ),
        parameter(
            "_HLS_part",
            "And this part of it. Needs `_HLS_msn`.",
            number,
        ),
        parameter(
            "_HLS_skip",
            "`YES`: leave out segments that the player has seen.",
            json!({"type": "string"}),
        ),
    ]
}

fn plain(description: &str) -> Value {
    json!({"description": description, "content": {"text/plain": {"schema": {"type": "string"}}}})
}

fn media_type(description: &str, kind: &str) -> Value {
    json!({"description": description, "content": {kind: {"schema": {"type": "string"}}}})
}

fn answers(found: Value) -> Map<String, Value> {
    let mut answers = refusals::of_doors();
    answers.insert("200".to_owned(), found);
    answers
}

fn upgrade() -> Map<String, Value> {
    let answers = [
        (
            "101",
            json!({"description": "The WebSocket is open, or will be closed with the code of a refusal."}),
        ),
        ("400", plain("The upgrade is malformed.")),
        (
            "426",
            plain("This address speaks WebSocket only, over HTTP/1.1."),
        ),
    ];
    answers
        .into_iter()
        .map(|(status, answer)| (status.to_owned(), answer))
        .collect()
}

fn resource_name() -> Vec<Value> {
    let path = |name: &str, description: &str, pattern: &str| {
        json!({
            "name": name,
            "in": "path",
            "required": true,
            "description": description,
            "schema": {"type": "string", "pattern": pattern},
        })
    };
    vec![
        path(
            "capability",
            "As the playlist has it.",
            "^[A-Za-z0-9_-]{22}$",
        ),
        path(
            "name",
            "As the playlist has it: `init-0.mp4`, `17.m4s` or `17.3.m4s`.",
            "^(init-[0-9]{1,9}\\.mp4|[0-9]{1,9}(\\.[0-9]{1,9})?\\.m4s)$",
        ),
    ]
}

fn resource() -> Map<String, Value> {
    let answers = [
        (
            "200",
            media_type("An init segment, a segment or a part.", "video/mp4"),
        ),
        (
            "404",
            plain("It is unknown, over, or another viewer's: reload the playlist."),
        ),
        ("429", plain("This player has too many requests open.")),
    ];
    answers
        .into_iter()
        .map(|(status, answer)| (status.to_owned(), answer))
        .collect()
}

fn verify() -> Value {
    let header = |name: &str, required: bool, description: &str| json!({"name": name, "in": "header", "required": required, "description": description, "schema": {"type": "string"}});
    json!({"get": {
        "tags": ["operate"],
        "operationId": "verify",
        "summary": "Whether a client's request may pass",
        "description": VERIFY,
        "security": [],
        "parameters": [
            header("X-Original-URI", false, "Path and query of the client's request, where the token is. Needed."),
            header("X-Forwarded-For", false, "The client's address. Needed."),
            header("X-H5Live-Stream", false, "The stream that the file belongs to, by the web server's word."),
        ],
        "responses": {
            "204": {"description": "It may."},
            "403": {
                "description": "It may not, or whoever asks is no trusted proxy.",
                "headers": {"X-H5Live-Code": {
                    "description": "The code that a WebSocket would be closed with.",
                    "schema": {"type": "string", "pattern": "^4[0-9]{3}$"},
                }},
            },
        },
    }})
}

/// Envoy puts the original path behind its prefix, and takes 200 alone for a grant.
fn verify_for_envoy() -> Value {
    let mut item = verify();
    let get = &mut item["get"];
    get["operationId"] = json!("verifyForEnvoy");
    get["summary"] = json!("The same, for Envoy's ext_authz");
    if let Some(parameters) = get["parameters"].as_array_mut() {
        parameters.push(json!({
            "name": "path",
            "in": "path",
            "required": true,
            "description": "The path of the client's request; only the header counts.",
            "schema": {"type": "string"},
        }));
    }
    if let Some(responses) = get["responses"].as_object_mut()
        && let Some(granted) = responses.remove("204")
    {
        responses.insert("200".to_owned(), granted);
    }
    item
}
