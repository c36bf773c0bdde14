//! A media playlist, read strictly, and what must hold from one reload to the next (RFC 8216bis).

/// One `EXT-X-PART`.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    pub duration: f64,
    pub uri: String,
    pub independent: bool,
}

/// One segment; the last one may have parts only.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Segment {
    pub number: u64,
    pub discontinuity: bool,
    pub map: Option<String>,
    pub date: Option<String>,
    pub parts: Vec<Part>,
    pub duration: Option<f64>,
    pub uri: Option<String>,
}

/// A playlist.
#[derive(Clone, Debug, Default)]
pub struct Playlist {
    pub target: u64,
    pub part_target: f64,
    pub control: String,
    pub first: u64,
    pub discontinuities: u64,
    pub skipped: u64,
    pub segments: Vec<Segment>,
    pub hint: String,
}

impl Playlist {
    /// Reads one; panics at whatever is not understood.
    pub fn read(text: &str) -> Playlist {
        let mut playlist = Playlist::default();
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("#EXTM3U"));
        let mut segment = Segment::default();
        let mut map = None;
        for line in lines {
            let (tag, value) = line.split_once(':').unwrap_or((line, ""));
            match tag {
                "#EXT-X-VERSION" => assert!(value.parse::<u32>().unwrap() >= 9),
                "#EXT-X-TARGETDURATION" => playlist.target = value.parse().unwrap(),
                "#EXT-X-PART-INF" => {
                    playlist.part_target = attribute(value, "PART-TARGET").parse().unwrap()
                }
                "#EXT-X-SERVER-CONTROL" => playlist.control = value.to_owned(),
                "#EXT-X-INDEPENDENT-SEGMENTS" => {}
                "#EXT-X-MEDIA-SEQUENCE" => playlist.first = value.parse().unwrap(),
                "#EXT-X-DISCONTINUITY-SEQUENCE" => {
                    playlist.discontinuities = value.parse().unwrap()
                }
                "#EXT-X-SKIP" => {
                    playlist.skipped = attribute(value, "SKIPPED-SEGMENTS").parse().unwrap()
                }
                "#EXT-X-DISCONTINUITY" => segment.discontinuity = true,
                "#EXT-X-MAP" => map = Some(attribute(value, "URI")),
                "#EXT-X-PROGRAM-DATE-TIME" => segment.date = Some(value.to_owned()),
                "#EXT-X-PART" => segment.parts.push(Part {
                    duration: attribute(value, "DURATION").parse().unwrap(),
                    uri: attribute(value, "URI"),
                    independent: value.ends_with(",INDEPENDENT=YES"),
                }),
                "#EXTINF" => segment.duration = Some(value.trim_end_matches(',').parse().unwrap()),
                "#EXT-X-PRELOAD-HINT" => playlist.hint = attribute(value, "URI"),
                _ => {
                    assert!(!line.starts_with('#'), "{line}");
                    segment.uri = Some(line.to_owned());
                    playlist.push(std::mem::take(&mut segment), &map);
                }
            }
        }
        if !segment.parts.is_empty() {
            playlist.push(segment, &map);
        }
        playlist
    }

    fn push(&mut self, mut segment: Segment, map: &Option<String>) {
        segment.number = self.first + self.skipped + self.segments.len() as u64;
        segment.map.clone_from(map);
        self.segments.push(segment);
    }

    /// The position after the last part: what a player asks for next.
    pub fn next(&self) -> (u64, usize) {
        match self.segments.last() {
            Some(open) if open.uri.is_none() => (open.number, open.parts.len()),
            Some(whole) => (whole.number + 1, 0),
            None => (self.first, 0),
        }
    }

    /// What holds of one playlist by itself.
    pub fn check(&self) {
        assert!(self.control.contains("CAN-BLOCK-RELOAD=YES"), "{self:?}");
        let hold_back: f64 = attribute(&self.control, "PART-HOLD-BACK").parse().unwrap();
        assert!(hold_back >= 2.0 * self.part_target, "4.4.3.8");
        let skip_until: f64 = attribute(&self.control, "CAN-SKIP-UNTIL").parse().unwrap();
        assert!(skip_until >= 6.0 * self.target as f64, "4.4.3.8");
        assert!(!self.hint.is_empty());
        for segment in &self.segments {
            let whole = segment.uri.is_some();
            assert_eq!(segment.duration.is_some(), whole);
            let duration = segment.duration.unwrap_or_default();
            assert!(
                duration.round() <= self.target as f64,
                "4.4.3.1: {segment:?}"
            );
            assert!(segment.date.is_some(), "{segment:?}");
            for (index, part) in segment.parts.iter().enumerate() {
                let last = whole && index + 1 == segment.parts.len();
                assert!(
                    part.duration <= self.part_target + 1e-5,
                    "4.4.4.9: {segment:?}"
                );
                assert!(
                    last || part.duration >= 0.85 * self.part_target,
                    "4.4.4.9: {segment:?}"
                );
            }
            if let Some(first) = segment.parts.first() {
                assert!(first.independent, "a segment begins with a keyframe");
            }
            let parts: f64 = segment.parts.iter().map(|part| part.duration).sum();
            if whole && !segment.parts.is_empty() {
                assert!((parts - duration).abs() < 0.05, "{segment:?}");
            }
        }
    }

    /// What holds of a whole playlist and the one before it.
    pub fn check_after(&self, before: &Playlist) {
        assert_eq!(self.target, before.target, "6.2.1");
        assert_eq!(self.part_target, before.part_target);
        assert_eq!(self.control, before.control);
        assert!(self.first >= before.first && self.next() >= before.next());
        let gone = before.segments.iter().filter(|old| old.number < self.first);
        let discontinuities = gone.filter(|old| old.discontinuity).count() as u64;
        assert_eq!(
            self.discontinuities,
            before.discontinuities + discontinuities,
            "6.2.2"
        );
        for old in before
            .segments
            .iter()
            .filter(|old| old.number >= self.first)
        {
            let new = &self.segments[usize::try_from(old.number - self.first).unwrap()];
            assert_eq!(
                (&new.map, new.discontinuity, &new.date),
                (&old.map, old.discontinuity, &old.date)
            );
            if old.uri.is_some() {
                assert_eq!((new.duration, &new.uri), (old.duration, &old.uri), "6.2.1");
            }
            // Parts may be taken off far from the end; those that stay are what they were.
            if !new.parts.is_empty() {
                assert!(
                    new.parts.starts_with(&old.parts) || old.parts.is_empty(),
                    "{old:?} {new:?}"
                );
            }
        }
        let listed = |uri: &str| {
            let parts = self.segments.iter().flat_map(|segment| &segment.parts);
            parts.map(|part| part.uri.as_str()).any(|part| part == uri)
        };
        let begun = self.next().0 > before.next().0;
        assert!(
            listed(&before.hint) || self.hint == before.hint || begun,
            "the hint is kept"
        );
    }
}

fn attribute(list: &str, name: &str) -> String {
    let at = list
        .find(&format!("{name}="))
        .unwrap_or_else(|| panic!("{name} in {list}"));
    let value = &list[at + name.len() + 1..];
    match value.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next().unwrap().to_owned(),
        None => value.split(',').next().unwrap().to_owned(),
    }
}
