#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::media::fragment::StreamInfo;
use crate::media::hls::PREFIX;

const SECOND: u64 = Span::TIMESCALE;

struct Source {
    window: Window,
    at: u64,
    frames: u64,
}

impl Source {
    fn new() -> Self {
        let mut source = Self {
            window: Window::new(Settings::default(), 1000),
            at: 0,
            frames: 0,
        };
        source.init("init");
        source
    }

    fn init(&mut self, text: &'static str) {
        let init = Init {
            bytes: Bytes::from_static(text.as_bytes()),
            info: StreamInfo {
                mime_type: String::new(),
                video: None,
                audio: None,
            },
            continues: false,
        };
        self.window.push(&Output::Init(init), 0);
    }

    fn frame(&mut self, duration: u64, random_access: bool) {
        let fragment = Fragment {
            bytes: Bytes::from(format!("<{}>", self.frames)),
            random_access,
            time_ms: self.at * 1000 / SECOND,
            span: Span {
                start: self.at,
                duration,
            },
        };
        self.at += duration;
        self.frames += 1;
        let now = 1_591_747_200_000 + self.at * 1000 / SECOND;
        self.window.push(&Output::Fragment(fragment), now);
    }

    /// Frames of one duration, with a keyframe each `gop`.
    fn run(&mut self, frames: u64, duration: u64, gop: u64) {
        for frame in 0..frames {
            self.frame(duration, frame % gop == 0);
        }
    }

    fn text(&mut self, skip: bool) -> String {
        self.window.playlist(skip).replace(PREFIX, "c/")
    }
}

fn lines<'a>(text: &'a str, tag: &str) -> Vec<&'a str> {
    text.lines()
        .filter_map(|line| line.strip_prefix(tag))
        .collect()
}

#[test]
fn a_running_stream_is_listed_in_segments_and_parts() {
    let mut source = Source::new();
    source.run(165, SECOND / 30, 30);
    let expected = "#EXTM3U
#EXT-X-VERSION:9
#EXT-X-TARGETDURATION:2
#EXT-X-PART-INF:PART-TARGET=0.334
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.002,CAN-SKIP-UNTIL=12
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MEDIA-SEQUENCE:1000
#EXT-X-DISCONTINUITY-SEQUENCE:0
#EXT-X-MAP:URI=\"c/init-0.mp4\"
#EXT-X-PROGRAM-DATE-TIME:2020-06-10T00:00:00.033Z
#EXT-X-PART:DURATION=0.33333,URI=\"c/1000.0.m4s\",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.33333,URI=\"c/1000.1.m4s\"
#EXT-X-PART:DURATION=0.33333,URI=\"c/1000.2.m4s\"
#EXTINF:1.00000,
c/1000.m4s
#EXT-X-PROGRAM-DATE-TIME:2020-06-10T00:00:01.033Z
#EXT-X-PART:DURATION=0.33333,URI=\"c/1001.0.m4s\",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.33333,URI=\"c/1001.1.m4s\"
#EXT-X-PART:DURATION=0.33333,URI=\"c/1001.2.m4s\"
#EXTINF:1.00000,
c/1001.m4s
#EXT-X-PROGRAM-DATE-TIME:2020-06-10T00:00:02.033Z
#EXT-X-PART:DURATION=0.33333,URI=\"c/1002.0.m4s\",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.33333,URI=\"c/1002.1.m4s\"
#EXT-X-PART:DURATION=0.33333,URI=\"c/1002.2.m4s\"
#EXTINF:1.00000,
c/1002.m4s
#EXT-X-PROGRAM-DATE-TIME:2020-06-10T00:00:03.033Z
#EXT-X-PART:DURATION=0.33333,URI=\"c/1003.0.m4s\",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.33333,URI=\"c/1003.1.m4s\"
#EXT-X-PART:DURATION=0.33333,URI=\"c/1003.2.m4s\"
#EXT-X-PART:DURATION=0.33333,URI=\"c/1003.3.m4s\",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.33333,URI=\"c/1003.4.m4s\"
#EXT-X-PART:DURATION=0.33333,URI=\"c/1003.5.m4s\"
#EXTINF:2.00000,
c/1003.m4s
#EXT-X-PROGRAM-DATE-TIME:2020-06-10T00:00:05.033Z
#EXT-X-PART:DURATION=0.33333,URI=\"c/1004.0.m4s\",INDEPENDENT=YES
#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"c/1004.1.m4s\"
";
    assert_eq!(source.text(false), expected);
    assert_eq!(
        source.window.edge(),
        Edge {
            segment: 1004,
            parts: 1
        }
    );
    let whole = source.window.segment(1003).unwrap();
    assert_eq!(whole.len(), 60);
    let parts: Vec<Bytes> = (0..6)
        .flat_map(|part| source.window.part(1003, part).unwrap())
        .collect();
    assert_eq!(whole, parts);
    assert_eq!(source.window.part(1003, 6), None);
    assert_eq!(source.window.segment(1004), None, "it is not whole");
    assert_eq!(source.window.part(999, 0), None);
    assert_eq!(source.window.init_segment(0).unwrap(), "init");
}

#[test]
fn parts_keep_to_the_target_at_every_frame_rate_or_are_not_listed() {
    // Frames a second, and whether parts of 0.334 s can be made of them.
    let rows = [
        (60.0, true),
        (59.94, true),
        (50.0, true),
        (30.0, true),
        (29.97, true),
        (25.0, true),
        (24.0, true),
        (15.0, true),
        (12.0, true),
        (10.0, true),
        (8.0, false),
        (5.0, false),
        (1.0, false),
    ];
    for (rate, fits) in rows {
        let mut source = Source::new();
        let duration = (SECOND as f64 / rate) as u64;
        source.run((rate * 12.0) as u64, duration, (rate * 2.0) as u64);
        let text = source.text(false);
        let parts = lines(&text, "#EXT-X-PART:DURATION=");
        assert_eq!(!parts.is_empty(), fits, "{rate}: {text}");
        assert_eq!(lines(&text, "#EXT-X-PART-INF:"), ["PART-TARGET=0.334"]);
        for segment in &source.window.segments {
            for (index, part) in segment.parts.iter().take(segment.listed).enumerate() {
                let target = source.window.settings.part_target;
                let last = segment.whole && index + 1 == segment.parts.len();
                assert!(part.duration <= target, "{rate}");
                assert!(last || part.duration * 100 >= target * 85, "{rate}");
            }
        }
        assert!(source.window.segments.iter().filter(|s| s.whole).count() >= 4);
    }
}

#[test]
fn a_new_init_segment_is_a_discontinuity_and_is_counted_when_it_has_gone() {
    let mut source = Source::new();
    source.run(60, SECOND / 30, 30);
    source.init("other");
    source.run(60, SECOND / 30, 30);
    source.window.stop();
    source.init("third");
    source.run(30, SECOND / 30, 30);
    let text = source.text(false);
    assert_eq!(text.matches("#EXT-X-DISCONTINUITY\n").count(), 2);
    let maps = lines(&text, "#EXT-X-MAP:URI=");
    assert_eq!(
        maps,
        ["\"c/init-0.mp4\"", "\"c/init-1.mp4\"", "\"c/init-2.mp4\""]
    );
    assert_eq!(lines(&text, "#EXT-X-DISCONTINUITY-SEQUENCE:"), ["0"]);
    source.run(60 * 20, SECOND / 30, 30);
    let text = source.text(false);
    assert_eq!(lines(&text, "#EXT-X-DISCONTINUITY-SEQUENCE:"), ["2"]);
    assert_eq!(source.window.init_segment(0), None);
    assert!(source.window.init_segment(2).is_some());
}

#[test]
fn a_delta_update_skips_what_is_old_and_nothing_else() {
    let mut source = Source::new();
    source.run(60 * 20, SECOND / 30, 30);
    let (full, delta) = (source.text(false), source.text(true));
    let skipped: usize = lines(&delta, "#EXT-X-SKIP:SKIPPED-SEGMENTS=")[0]
        .parse()
        .unwrap();
    let count = |text: &str| lines(text, "#EXTINF:").len();
    assert!(skipped > 0);
    assert_eq!(count(&full), count(&delta) + skipped);
    // What is left begins within six target durations of the end, and is told the same.
    let tail = delta
        .split_once("SKIPPED-SEGMENTS")
        .unwrap()
        .1
        .split_once('\n')
        .unwrap()
        .1;
    assert!(full.ends_with(tail));
    assert!((6..=7).contains(&count(&delta)), "{delta}");
}

#[test]
fn what_is_held_is_bounded() {
    let mut source = Source::new();
    source.window.settings.bytes = 1000;
    source.run(60 * 50, SECOND / 30, 30);
    assert!(source.window.bytes <= 1000);
    let held: usize = source
        .window
        .segments
        .iter()
        .map(|segment| segment.bytes)
        .sum();
    assert_eq!(held, source.window.bytes);

    let mut endless = Source::new();
    endless.window.settings.bytes = 1000;
    endless.run(60 * 50, SECOND / 30, u64::MAX);
    assert!(
        endless.window.bytes <= 1000,
        "a segment without an end is let go"
    );
}

#[test]
fn nothing_is_listed_before_a_keyframe() {
    let mut source = Source::new();
    source.frame(SECOND / 30, false);
    assert!(!source.window.is_playable());
    assert!(source.window.segments.is_empty());
    source.run(59, SECOND / 30, 30);
    assert!(!source.window.is_playable());
    source.run(30, SECOND / 30, 30);
    assert!(!source.window.is_playable());
    source.run(30, SECOND / 30, 30);
    assert!(source.window.is_playable());
}

#[test]
fn a_whole_segment_is_gathered_and_its_parts_are_pieces_of_it() {
    let mut source = Source::new();
    source.window.settings.gather = |pieces| Some(pieces.concat().into());
    source.run(60, SECOND / 30, 30);
    source.frame(SECOND / 30, true);
    let window = &source.window;
    let first = window.segments.front().unwrap();
    let whole = window.segment(first.number).unwrap();
    let [gathered] = &whole[..] else {
        panic!("{} pieces", whole.len());
    };
    let parts = 0..first.listed as u64;
    let fragments: Vec<Bytes> = parts
        .flat_map(|part| window.part(first.number, part).unwrap())
        .collect();
    assert_eq!(*gathered, fragments.concat());
    assert!(fragments.len() > 20, "{}", fragments.len());
    let inside = gathered.as_ptr_range();
    assert!(
        fragments
            .iter()
            .all(|fragment| inside.contains(&fragment.as_ptr())),
        "they are copies"
    );
}
