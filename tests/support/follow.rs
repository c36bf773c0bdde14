//! Players of what is fetched, each on a thread of its own: HLS, and the response that lasts.

use std::collections::BTreeMap;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::playlist::Playlist;
use super::server::agent;

const PATIENCE: Duration = Duration::from_secs(60);

/// Follows a playlist on a thread, by the rules of `playlist.rs`, until it has so many forms and three
/// whole segments of the last; each form's file, and how many discontinuities there were.
pub fn follow(playlist: String, forms: usize) -> JoinHandle<(Vec<Vec<u8>>, usize)> {
    thread::spawn(move || {
        let url = playlist;
        let directory = url.split_once("/playlist.m3u8").unwrap().0.to_owned();
        let get = |url: &str| {
            let mut answer = agent().get(url).call().unwrap();
            let status = answer.status().as_u16();
            (status, answer.body_mut().read_to_vec().unwrap())
        };
        let below = |uri: &str| {
            let (status, body) = get(&format!("{directory}/{uri}"));
            assert_eq!(status, 200, "{uri}");
            body
        };
        let deadline = Instant::now() + PATIENCE;
        let mut before: Option<Playlist> = None;
        let mut maps: Vec<(String, Vec<u8>)> = Vec::new();
        let mut segments: BTreeMap<u64, (String, bool)> = BTreeMap::new();
        loop {
            assert!(Instant::now() < deadline, "{before:?}");
            let (status, body) = match &before {
                Some(before) => {
                    let (segment, part) = before.next();
                    get(&format!("{url}&_HLS_msn={segment}&_HLS_part={part}"))
                }
                None => get(&url),
            };
            if status == 503 {
                continue;
            }
            assert_eq!(status, 200);
            let playlist = Playlist::read(&String::from_utf8(body).unwrap());
            playlist.check();
            if let Some(before) = &before {
                playlist.check_after(before);
            }
            for segment in &playlist.segments {
                let (Some(map), Some(uri)) = (&segment.map, &segment.uri) else {
                    continue;
                };
                if segments.contains_key(&segment.number) {
                    continue;
                }
                if maps.last().is_none_or(|(last, _)| last != map) {
                    maps.push((map.clone(), below(map)));
                }
                if let Some((_, file)) = maps.last_mut() {
                    file.extend(below(uri));
                }
                segments.insert(segment.number, (map.clone(), segment.discontinuity));
            }
            let last = maps.last().map(|(map, _)| map.clone());
            let of_last = segments
                .values()
                .filter(|(map, _)| Some(map) == last.as_ref());
            if maps.len() == forms && of_last.count() >= 3 {
                let discontinuities = segments.values().filter(|(_, new)| *new).count();
                return (
                    maps.into_iter().map(|(_, file)| file).collect(),
                    discontinuities,
                );
            }
            before = Some(playlist);
        }
    })
}

/// Fetches `stream.mp4` on a thread, to its end; a response that breaks off is an error.
pub fn download(url: String) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let agent = ureq::Agent::config_builder().proxy(None).build();
        let mut answer = ureq::Agent::from(agent).get(&url).call().unwrap();
        answer.body_mut().read_to_vec().unwrap()
    })
}
