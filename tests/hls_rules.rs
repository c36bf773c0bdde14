//! The playlist over 200 blocking reloads, by RFC 8216bis, and who gets it: one table of tokens, and
//! another of what lies below the playlist.
//!
//! Not covered: players (`hls_playback.rs`, `hls_browser.rs`).
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::io::Read;

use serde_json::json;
use support::hls::{Answer, STREAM, Site};
use support::playlist::Playlist;
use support::publisher::{self, Publisher};

#[test]
fn two_hundred_reloads_keep_to_the_rules() {
    let site = Site::start();
    let _publisher = site.publish();
    let token = site.mint(&json!({"tag": "viewer 1"}));
    let url = site.playlist_url(&token);
    let get = |directives: &str| {
        let answer = site.get(&format!("{url}{directives}"), &[]);
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(
            !answer.text().contains(&token.token),
            "a token in the playlist"
        );
        answer.text()
    };
    let mut before = Playlist::read(&get(""));
    before.check();
    for reload in 0..200 {
        let (segment, part) = before.next();
        let text = get(&format!("&_HLS_msn={segment}&_HLS_part={part}"));
        let playlist = Playlist::read(&text);
        playlist.check();
        playlist.check_after(&before);
        assert!(
            playlist.next() > (segment, part),
            "it holds what was asked for"
        );
        if reload % 20 == 19 {
            let delta = get("&_HLS_skip=YES");
            let read = Playlist::read(&delta);
            assert!(read.skipped > 0 || read.segments.len() < 8, "{delta}");
            let newer = Playlist::read(&get(""));
            let known = newer
                .segments
                .iter()
                .filter(|new| new.number >= read.first + read.skipped);
            let same = known
                .zip(&read.segments)
                .all(|(new, old)| new.number == old.number);
            assert!(same, "{delta}");
        }
        before = playlist;
    }
    assert!(before.segments.len() >= 12);
}

#[test]
fn a_new_picture_size_is_a_discontinuity_and_plays_on() {
    let site = Site::start();
    let publisher = site.publish();
    let token = site.mint(&json!({}));
    let url = site.playlist_url(&token);
    let first = Playlist::read(&site.get(&url, &[]).text());
    publisher.stop();
    let larger = publisher::Options {
        width: 854,
        height: 480,
        ..publisher::Options::default()
    };
    let _publisher = Publisher::start(&site.origin, STREAM, &larger);
    let mut before = first;
    loop {
        let (segment, part) = before.next();
        let answer = site.get(&format!("{url}&_HLS_msn={segment}&_HLS_part={part}"), &[]);
        if answer.status == 503 {
            continue;
        }
        let playlist = Playlist::read(&answer.text());
        playlist.check();
        playlist.check_after(&before);
        let mut after = playlist
            .segments
            .iter()
            .skip_while(|segment| !segment.discontinuity);
        if after
            .next()
            .is_some_and(|new| new.uri.is_some() && new.map != playlist.segments[0].map)
        {
            return;
        }
        before = playlist;
    }
}

#[test]
fn whoever_has_no_token_for_it_gets_no_playlist() {
    let site = Site::start();
    let token = site.mint(&json!({"tag": "viewer 1"}));
    let other = site.mint(&json!({"ip": "127.0.0.2"}));
    let paged = site.mint(&json!({"referer": "demo.example.test"}));
    let good = site.playlist_url(&token);
    let altered = good.replacen("token=A", "token=B", 1);
    let origin = "https://demo.example.test";
    type Row<'a> = (&'a str, String, Vec<(&'a str, &'a str)>, u16, u64);
    let rows: Vec<Row<'_>> = vec![
        (
            "no token",
            good.replacen("token=", "t=", 1),
            vec![],
            403,
            4903,
        ),
        ("altered", altered, vec![], 403, 4901),
        (
            "other stream",
            good.replacen(STREAM, "ABCDE-other", 1),
            vec![],
            403,
            4901,
        ),
        (
            "no stream",
            good.replacen("stream=", "s=", 1),
            vec![],
            400,
            4400,
        ),
        ("address", site.playlist_url(&other), vec![], 403, 4901),
        ("no page", site.playlist_url(&paged), vec![], 403, 4901),
        (
            "other page",
            site.playlist_url(&paged),
            vec![("Referer", "https://evil.example.test/")],
            403,
            4901,
        ),
        (
            "null",
            site.playlist_url(&paged),
            vec![("Origin", "null"), ("Referer", origin)],
            403,
            4901,
        ),
        (
            "unknown origin",
            good.replacen("rtmp%3A%2F%2F127.0.0.1", "rtmp%3A%2F%2F127.0.0.9", 1),
            vec![],
            400,
            4400,
        ),
        (
            "part alone",
            format!("{good}&_HLS_part=1"),
            vec![],
            400,
            4400,
        ),
        (
            "not a number",
            format!("{good}&_HLS_msn=1e3"),
            vec![],
            400,
            4400,
        ),
    ];
    for (name, url, headers, status, code) in rows {
        let answer = site.get(&url, &headers);
        assert_eq!(answer.status, status, "{name}: {}", answer.text());
        assert_eq!(answer.json()["error"]["code"], code, "{name}");
    }
    assert_eq!(site.origin.plays(STREAM), 0, "the origin is not asked");

    let _publisher = site.publish();
    let far = site.get(&format!("{good}&_HLS_msn=18446744073709551615"), &[]);
    assert_eq!(far.status, 400, "{}", far.text());
    let page = site.get(&site.playlist_url(&paged), &[("Origin", origin)]);
    assert_eq!(page.status, 200, "{}", page.text());
    assert_eq!(page.header("access-control-allow-origin"), Some(origin));
}

#[test]
fn what_lies_below_is_the_sessions_own() {
    let site = Site::start();
    let _publisher = site.publish();
    let token = site.mint(&json!({"ip": "127.0.0.1"}));
    let answer = site.get(&site.playlist_url(&token), &[("Accept-Encoding", "gzip")]);
    assert_eq!(answer.header("cache-control"), Some("private, no-store"));
    assert_eq!(answer.header("content-encoding"), Some("gzip"));
    let mut text = String::new();
    flate2::read::GzDecoder::new(answer.body.as_slice())
        .read_to_string(&mut text)
        .unwrap();
    let playlist = Playlist::read(&text);
    let segment = &playlist.segments[0];
    let below = |uri: &str| format!("{}/h5live/authhttp/{uri}", site.server.base());
    let map = segment.map.as_ref().unwrap();
    let init = site.get(&below(map), &[]);
    assert_eq!((init.status, &init.body[4..8]), (200, &b"ftyp"[..]));
    assert_eq!(init.header("content-type"), Some("video/mp4"));
    let uri = segment.uri.as_ref().unwrap();
    let whole = site.get(&below(uri), &[]);
    assert_eq!((whole.status, &whole.body[4..8]), (200, &b"moof"[..]));
    let parts: Vec<u8> = segment
        .parts
        .iter()
        .flat_map(|part| site.get(&below(&part.uri), &[]).body)
        .collect();
    assert_eq!(parts, whole.body, "a segment is its parts");
    let hinted = site.get(&below(&playlist.hint), &[]);
    assert_eq!(
        (hinted.status, &hinted.body[4..8]),
        (200, &b"moof"[..]),
        "a hint is waited for"
    );

    let (capability, name) = uri.split_once('/').unwrap();
    let mut other = capability.to_owned();
    other.replace_range(
        ..1,
        if capability.starts_with('A') {
            "B"
        } else {
            "A"
        },
    );
    let rows = [
        ("no capability", below(name)),
        ("another capability", below(&format!("{other}/{name}"))),
        ("none", below(&format!("/{name}"))),
        (
            "a segment that has gone",
            below(&format!("{capability}/1.m4s")),
        ),
        (
            "a segment to come",
            below(&format!("{capability}/9999999999.m4s")),
        ),
        (
            "a part to come",
            below(&format!("{capability}/9999999999.0.m4s")),
        ),
        ("up", below(&format!("{capability}/../{capability}/{name}"))),
    ];
    let refused = |answer: &Answer| answer.status == 404 && answer.body.len() < 100;
    for (row, url) in rows {
        let answer = site.get(&url, &[]);
        assert!(refused(&answer), "{row}: {}", answer.status);
    }
    let elsewhere = site.get_from("127.0.0.2", &below(uri));
    assert!(refused(&elsewhere), "another address: {}", elsewhere.status);
}

#[test]
fn a_player_that_holds_too_many_requests_is_told_and_others_are_served() {
    let site = Site::start();
    let _publisher = site.publish();
    let url = site.playlist_url(&site.mint(&json!({"tag": "greedy"})));
    let other = site.playlist_url(&site.mint(&json!({"tag": "modest"})));
    let (segment, _) = Playlist::read(&site.get(&url, &[]).text()).next();
    let held = format!("{url}&_HLS_msn={}", segment + 1);
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let requests: Vec<_> = (0..24)
            .map(|_| scope.spawn(|| site.get(&held, &[]).status))
            .collect();
        // While they wait, another player is served.
        assert_eq!(site.get(&other, &[]).status, 200);
        let joined = requests.into_iter().map(|request| request.join().unwrap());
        joined.collect()
    });
    let of = |status: u16| statuses.iter().filter(|found| **found == status).count();
    assert!(
        of(200) >= 16 && of(503) > 0 && of(200) + of(503) == 24,
        "{statuses:?}"
    );
}
