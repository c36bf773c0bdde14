//! Attacks on what is parsed of a request's target: paths that mean the door to somebody else, and
//! queries that two readers could read in two ways. Sent by the byte, over a socket, to the real
//! server, with a valid token's query: so a spelling that gets through would play.
//!
//! Elsewhere: the readers' own tables (`src/token/{query,parameters,stream_name,verify}`), the API's
//! paths and JSON (`issuer_refusals.rs`), headers and bodies (`attacks_http.rs`), WebSocket frames and
//! messages (`attacks_websocket.rs`). Not covered: the same over TLS, where only the socket differs.
#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;
use support::raw::{Raw, Table, upgrade};
use support::server::{Options, Security, Server};

const DOOR: &str = "/h5live/authstream";
const URL: &str = "url=rtmp%3A%2F%2F127.0.0.1%3A1%2Flive";

/// A server whose origin never answers: who is let in sees `onServerInfo` and no more.
fn start() -> Server {
    let server = Server::start(&Options::with_origin("rtmp://127.0.0.1:1/live"));
    server.register("ABCDE-demo", "a secret of the demo");
    server
}

fn outcome(server: &Server, target: &[u8]) -> String {
    let mut client = Raw::connect(server.port());
    client.send(&upgrade(target, ""));
    client.outcome()
}

#[test]
fn the_door_has_its_exact_spellings_and_no_other() {
    let server = start();
    let security = server.mint(&json!({"streamname": "ABCDE-demo"}));
    let query = format!(
        "{URL}&stream=ABCDE-demo&token={}&options={}",
        security.token, security.options
    );
    let mut table = Table::default();
    let exact = [
        "/h5live/authstream",
        "/h5live/authstream/",
        "/h5live/authstream.mp4",
        "/h5live/authstream/stream.mp4",
    ];
    for path in exact {
        let target = format!("{path}?{query}");
        table.row(
            path,
            &outcome(&server, target.as_bytes()),
            "101 onServerInfo",
        );
    }

    #[rustfmt::skip]
    let rows: &[(&str, &[u8], &str)] = &[
        ("dot segment", b"/h5live/./authstream", "404"),
        ("dot segment at the end", b"/h5live/authstream/.", "404"),
        ("parent from outside", b"/x/../h5live/authstream", "404"),
        ("parent from inside", b"/h5live/authstream/../authstream", "404"),
        ("parent above the root", b"/../h5live/authstream", "404"),
        ("parent of a page", b"/player.js/../h5live/authstream", "404"),
        ("encoded dot", b"/h5live/%2e/authstream", "404"),
        ("encoded parent", b"/x/%2e%2e/h5live/authstream", "404"),
        ("encoded parent, upper case", b"/x/%2E%2E/h5live/authstream", "404"),
        ("half encoded parent", b"/x/.%2e/h5live/authstream", "404"),
        ("twice encoded parent", b"/x/%252e%252e/h5live/authstream", "404"),
        ("parent with a parameter", b"/x/..;/h5live/authstream", "404"),
        ("encoded slash", b"/h5live%2fauthstream", "404"),
        ("encoded slash, upper case", b"/h5live%2Fauthstream", "404"),
        ("encoded slash at the start", b"/%2fh5live/authstream", "404"),
        ("encoded letter", b"/h5live/%61uthstream", "404"),
        ("encoded whole", b"/%68%35%6c%69%76%65/authstream", "404"),
        ("NUL, encoded, at the end", b"/h5live/authstream%00", "404"),
        ("NUL, encoded, before an extension", b"/h5live/authstream%00.mp4", "404"),
        ("NUL, raw", b"/h5live/authstream\0", "400"),
        ("parameter", b"/h5live/authstream;x", "404"),
        ("parameter in between", b"/h5live;x=1/authstream", "404"),
        ("encoded parameter", b"/h5live/authstream%3bx", "404"),
        ("two slashes", b"/h5live//authstream", "404"),
        ("two slashes at the start", b"//h5live/authstream", "404"),
        ("two slashes at the end", b"/h5live/authstream//", "404"),
        ("host in a path", b"//play.test/h5live/authstream", "404"),
        ("backslash", b"/h5live\\authstream", "404"),
        ("backslash at the start", b"\\h5live\\authstream", "400"),
        ("encoded backslash", b"/h5live%5cauthstream", "404"),
        ("overlong slash, encoded", b"/h5live%c0%afauthstream", "404"),
        ("overlong dots, encoded", b"/x/%c0%ae%c0%ae/h5live/authstream", "404"),
        ("overlong slash, raw", b"/h5live\xC0\xAFauthstream", "400"),
        ("fullwidth slash", b"/h5live\xEF\xBC\x8Fauthstream", "404"),
        ("fullwidth letter", b"/h5live/\xEF\xBD\x81uthstream", "404"),
        ("soft hyphen", b"/h5live/auth\xC2\xADstream", "404"),
        ("encoded space at the end", b"/h5live/authstream%20", "404"),
        ("encoded line feed at the end", b"/h5live/authstream%0a", "404"),
        ("tab at the end", b"/h5live/authstream\t", "400"),
        ("dot at the end", b"/h5live/authstream.", "404"),
        ("encoded question mark", b"/h5live/authstream%3f", "404"),
        ("lone percent", b"/h5live/authstream%", "404"),
        ("upper case", b"/H5LIVE/AUTHSTREAM", "404"),
        ("mixed case", b"/h5live/authStream", "404"),
        ("no slash at the start", b"h5live/authstream", "400"),
        ("the open door, which is closed", b"/h5live/stream", "101 close 4901"),
        ("below the door", b"/h5live/authstream/playlist.m3u8", "404"),
        ("absolute form", b"http://play.test/h5live/authstream", "400"),
        ("absolute form of another host", b"http://other.test/h5live/authstream", "400"),
        ("absolute form, https", b"https://play.test/h5live/authstream", "400"),
        ("absolute form, ws", b"ws://play.test/h5live/authstream", "400"),
        ("absolute form with a user", b"http://u:p@play.test/h5live/authstream", "400"),
        ("absolute form of a file", b"file:///h5live/authstream", "400"),
        ("scheme without a host", b"http:/h5live/authstream", "400"),
        ("health is no door", b"/healthz", "200"),
        ("the page is no door", b"/", "200"),
        ("a part of the page is no door", b"/player.js", "200"),
        ("the API is no door", b"/secure/token", "405"),
    ];
    for (name, path, expected) in rows {
        let target = [*path, b"?", query.as_bytes()].concat();
        table.row(name, &outcome(&server, &target), expected);
    }

    // These forms take no query, so a proxy that reads them as a path would have to make one up.
    let request = |line: &str| {
        let mut client = Raw::connect(server.port());
        let head = upgrade(b"/", "");
        let rest = &head[head.iter().position(|byte| *byte == b'\r').unwrap()..];
        client.send(&[line.as_bytes(), rest].concat());
        client.outcome()
    };
    #[rustfmt::skip]
    let rows = [
        ("authority form", "GET play.test:80 HTTP/1.1", "400"),
        ("authority form without a port", "GET play.test HTTP/1.1", "400"),
        ("CONNECT", "CONNECT play.test:80 HTTP/1.1", "400"),
        ("CONNECT of the door", "CONNECT /h5live/authstream HTTP/1.1", "405"),
        ("asterisk form", "OPTIONS * HTTP/1.1", "404"),
        ("empty target", "GET  HTTP/1.1", "400"),
        ("two targets", "GET / /h5live/authstream HTTP/1.1", "400"),
        ("no version", "GET /h5live/authstream", "400"),
        ("lower-case method", "get /h5live/authstream HTTP/1.1", "405"),
        ("POST of the door", "POST /h5live/authstream HTTP/1.1", "405"),
        ("HTTP/1.0 has no upgrades", "GET /h5live/authstream HTTP/1.0", "426"),
        ("HTTP/2 by its preface", "PRI * HTTP/2.0", "400"),
    ];
    for (name, line, expected) in rows {
        table.row(name, &request(line), expected);
    }
    table.check();
}

#[test]
fn a_query_has_one_reading() {
    let server = start();
    let secure = |wish: serde_json::Value| server.mint(&wish);
    let plain = secure(json!({"streamname": "ABCDE-demo"}));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let expires = (now.as_secs() + 3600).to_string();
    let timed = secure(json!({"streamname": "ABCDE-demo", "expires": expires}));
    let spaced = secure(json!({"streamname": "ABCDE-demo", "tag": "a b"}));
    let plussed = secure(json!({"streamname": "ABCDE-demo", "tag": "a+b"}));
    let with = |security: &Security, more: &str| {
        let (token, options) = (&security.token, &security.options);
        format!("{URL}&stream=ABCDE-demo&token={token}&options={options}{more}")
    };
    let good = with(&plain, "");
    let token = &plain.token;
    let long = "x".repeat(8 * 1024);
    let play = "onServerInfo";
    let mut table = Table::default();
    #[rustfmt::skip]
    let rows: Vec<(&str, String, &str)> = vec![
        ("as a player sends it", good.clone(), play),
        ("repeated cid, which is not ours", format!("{good}&cid=1&cid=2"), play),
        ("unknown parameters", format!("{good}&x=1&jwtoken=&X"), play),
        ("empty pairs", format!("&&{good}&&"), play),
        ("parameters of the stream", good.replace("ABCDE-demo", "ABCDE-demo%3Ftoken%3Dx"), play),
        ("encoded letters", good.replace("token=", "t%6Fken="), play),

        ("two tokens, the last ours", format!("token=server&{good}"), play),
        ("two tokens, the last not ours", format!("{good}&token=server"), "close 4901"),
        ("two tokens, the last empty", format!("{good}&token="), "close 4903"),
        ("two tokens, the last ours, by encoding", format!("%74oken=server&{good}"), play),
        ("three tokens", format!("token=a&token=b&{good}"), "close 4901"),
        ("repeated options that agree", format!("{good}&options=0"), "close 4901"),
        ("repeated options, the first empty", format!("options=&{good}"), "close 4901"),
        ("repeated expires", with(&timed, &format!("&expires={expires}&expires={expires}")), "close 4901"),
        ("repeated expires, a later one", with(&timed, &format!("&expires={expires}&expires=4102444800")), "close 4901"),
        ("repeated tag", with(&spaced, "&tag=a+b&tag=a%20b"), "close 4901"),
        ("repeated stream that agrees", format!("{good}&stream=ABCDE-demo"), "close 4400"),
        ("repeated stream by encoding", format!("{good}&str%65am=ABCDE-other"), "close 4400"),
        ("repeated url", format!("{good}&{URL}"), "close 4400"),
        ("repeated flags", format!("{good}&flags=paused&flags=checkandclose"), "close 4400"),

        ("semicolons throughout", good.replace('&', ";"), "close 4400"),
        ("semicolon behind the token", good.replace("&options", ";options"), "close 4903"),
        ("semicolon hides a second stream", format!("{good};stream=ABCDE-other"), "close 4901"),
        ("commas throughout", good.replace('&', ","), "close 4400"),
        ("encoded ampersand", good.replace("&options", "%26options"), "close 4903"),
        ("encoded equals sign", good.replace("options=", "options%3D"), "close 4903"),

        ("mixed case of token", good.replace("token=", "Token="), "close 4903"),
        ("upper case of options", good.replace("options=", "OPTIONS="), "close 4903"),
        ("mixed case of stream", good.replace("stream=", "Stream="), "close 4400"),
        ("array of tokens", good.replace("token=", "token[]="), "close 4903"),
        ("array of tokens, encoded", good.replace("token=", "token%5B%5D="), "close 4903"),
        ("array of options by index", good.replace("options=", "options[0]="), "close 4903"),
        ("array of streams", good.replace("stream=", "stream[]="), "close 4400"),
        ("object", good.replace("token=", "security[token]="), "close 4903"),
        ("the page's prefix", good.replace("token=", "h5live.security.token="), "close 4903"),
        ("space before a name", good.replace("token=", "+token="), "close 4903"),
        ("NUL behind a name", good.replace("token=", "token%00="), "close 4903"),
        ("second question mark", format!("?{good}").replace("url=", "token=&url="), play),
        ("all behind a second question mark", format!("x?{good}"), play),

        ("space as a plus", with(&spaced, "&tag=a+b"), play),
        ("space as %20", with(&spaced, "&tag=a%20b"), play),
        ("plus for a space", with(&spaced, "&tag=a%2Bb"), "close 4901"),
        ("plus, encoded", with(&plussed, "&tag=a%2Bb"), play),
        ("plus, not encoded", with(&plussed, "&tag=a+b"), "close 4901"),
        ("twice encoded space", with(&spaced, "&tag=a%2520b"), "close 4901"),
        ("tag without its bit", with(&plain, "&tag=a"), "close 4901"),
        ("bit without its tag", with(&spaced, "&tag="), "close 4903"),

        ("invalid UTF-8", format!("{good}&x=%FF"), "close 4400"),
        ("invalid UTF-8 in a name", format!("{good}&%FF=x"), "close 4400"),
        ("overlong letter in a name", good.replace("token=", "%C1%B4oken="), "close 4400"),
        ("surrogate", format!("{good}&x=%ED%A0%80"), "close 4400"),
        ("lone percent", format!("{good}&x=%"), "close 4400"),
        ("percent with other letters", format!("{good}&x=%zz"), "close 4400"),
        ("UTF-8 that is not encoded", format!("{good}&x=é"), "close 4400"),
        ("NUL in the stream", good.replace("ABCDE-demo", "ABCDE-demo%00"), "close 4400"),
        ("line end in the stream", good.replace("ABCDE-demo", "ABCDE-demo%0D%0A"), "close 4400"),
        ("option of librtmp in the stream", good.replace("ABCDE-demo", "ABCDE-demo+playpath=x"), "close 4400"),
        ("letter case of the stream", good.replace("ABCDE-demo", "abcde-demo"), "close 4901"),

        ("8 KiB in an unknown parameter", format!("{good}&x={long}"), "close 4400"),
        ("8 KiB of name", format!("{good}&{long}"), "close 4400"),
        ("8 KiB of token", good.replace(token, &long), "close 4400"),
        ("8 KiB of stream", good.replace("ABCDE-demo", &long), "close 4400"),
        ("8 KiB of tag", with(&spaced, &format!("&tag={long}")), "close 4400"),
        ("4 KiB of token", good.replace(token, &long[..4096]), "close 4901"),
        ("1,000 parameters", format!("{good}{}", "&x=y".repeat(1_000)), "close 4400"),
        ("1,000 tokens", format!("{good}{}", "&token=x".repeat(1_000)), "close 4400"),
        ("more than 16 KiB", format!("{good}{}", "&".repeat(16 * 1024)), "close 4400"),
    ];
    for (name, query, expected) in rows {
        let target = format!("{DOOR}?{query}");
        table.row(
            name,
            &outcome(&server, target.as_bytes()),
            &format!("101 {expected}"),
        );
    }

    // What HTTP itself does not take never gets to a verdict.
    let head = "x".repeat(64 * 1024);
    let behind = |more: &[u8]| [DOOR.as_bytes(), b"?", good.as_bytes(), more].concat();
    #[rustfmt::skip]
    let rows: [(&str, Vec<u8>, &str); 5] = [
        ("a raw byte that is no UTF-8", behind(b"&x=\xFF"), "400"),
        ("a raw NUL", behind(b"&x=\0"), "400"),
        ("a raw line feed", behind(b"&x=\n"), "400"),
        ("a raw space", behind(b" x"), "400"),
        ("64 KiB", behind(head.as_bytes()), "431"),
    ];
    for (name, target, expected) in rows {
        table.row(name, &outcome(&server, &target), expected);
    }
    table.check();
    // A fragment is never sent; what is behind `#` counts for nothing, before the query or behind it.
    assert_eq!(outcome(&server, &behind(b"#x")), "101 onServerInfo");
    let before = format!("{DOOR}#?{good}");
    assert_eq!(outcome(&server, before.as_bytes()), "101 close 4400");
}
