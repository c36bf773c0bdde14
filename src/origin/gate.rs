//! What `flvdemux` is given, in which order, and when it must begin anew. Pure.
//!
//! Two of its ways do not fit live streams. It gives a picture up that comes more than 6 s after the
//! sound, and servers hold the picture back until a keyframe: so sound waits here for the picture.
//! And where times go back by 2 s or more it shifts each track by an amount of its own, so that
//! picture and sound drift apart: so another publisher's stream is another stream.

use super::flv::{Kind, Tag};

/// How long sound waits for an announced picture, in milliseconds: 250 frames, as encoders like them
/// from keyframe to keyframe, last 10 s at 25 a second.
const ANNOUNCED: u32 = 20_000;

/// How long where nothing is announced: less than the shortest patience of a page, which is 10 s.
const UNKNOWN: u32 = 5_000;

/// Sound that waits: 20 s of AAC at 48 kHz.
const MOST_HELD: usize = 1024;

/// Sound that comes before the first picture in the stream may end after it begins.
const OVERLAP: u32 = 100;

/// A track whose time goes back by more milliseconds is another publisher's, or 32 bits were not
/// enough for the one, after 49 days.
const BACK: u32 = 1000;

/// The stream must begin anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restart;

/// One stream's tags on their way.
#[derive(Debug, Default)]
pub struct Gate {
    announced: Option<bool>,
    /// The last packets' times.
    audio: Option<u32>,
    video: Option<u32>,
    first_audio: Option<u32>,
    held: Vec<Tag>,
    given_up: bool,
}

impl Gate {
    /// The publisher says whether there is a picture.
    pub fn announce(&mut self, picture: bool) {
        self.announced = Some(picture);
    }

    /// Takes a tag; appends those to `out` that are due.
    pub fn pass(&mut self, tag: Tag, out: &mut Vec<u8>) -> Result<(), Restart> {
        let time = tag.time();
        if tag.configures() {
            out.extend_from_slice(tag.bytes());
            return Ok(());
        }
        let last = match tag.kind() {
            Kind::Audio => &mut self.audio,
            Kind::Video => &mut self.video,
            Kind::Script | Kind::Other => {
                out.extend_from_slice(tag.bytes());
                return Ok(());
            }
        };
        if last.replace(time).unwrap_or(0).saturating_sub(time) > BACK {
            return Err(Restart);
        }
        if tag.kind() == Kind::Audio && self.waits(time) {
            if self.held.len() == MOST_HELD {
                self.held.remove(0);
            }
            self.held.push(tag);
            return Ok(());
        }
        out.extend_from_slice(tag.bytes());
        // The picture first, so that it is there when the sound begins.
        for held in std::mem::take(&mut self.held) {
            if held.time().saturating_add(OVERLAP) >= time {
                out.extend_from_slice(held.bytes());
            }
        }
        Ok(())
    }

    fn waits(&mut self, time: u32) -> bool {
        let first = *self.first_audio.get_or_insert(time);
        let patience = match self.announced {
            Some(true) => ANNOUNCED,
            Some(false) => 0,
            None => UNKNOWN,
        };
        if self.video.is_none() && time.saturating_sub(first) >= patience {
            // What has waited is too old for a live stream.
            self.given_up = true;
            self.held.clear();
        }
        self.video.is_none() && !self.given_up
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::super::flv::tests::tag_at;
    use super::*;

    const PICTURE: &[u8] = &[0x27, 1, 0, 0, 0, 7];
    const SOUND: &[u8] = &[0xaf, 1, 7];
    const HOUR: u32 = 3_600_000;

    /// Type, time and data.
    type Brief<'a> = (u8, u32, &'a [u8]);

    /// Passes tags; gives kinds and times of those that come out.
    fn pass(gate: &mut Gate, tags: &[Brief]) -> Result<Vec<(u8, u32)>, Restart> {
        let mut out = Vec::new();
        for (kind, time, data) in tags {
            gate.pass(tag_at(*kind, *time, data), &mut out)?;
        }
        let mut times = Vec::new();
        let mut rest = &out[..];
        while !rest.is_empty() {
            let length = u32::from_be_bytes([0, rest[1], rest[2], rest[3]]) as usize + 15;
            let time = u32::from_be_bytes([rest[7], rest[4], rest[5], rest[6]]);
            times.push((rest[0], time));
            rest = &rest[length..];
        }
        Ok(times)
    }

    #[test]
    fn sound_waits_for_the_picture_and_follows_it() {
        let tags = [
            (8, 0, &[0xaf, 0, 0x11][..]),
            (8, HOUR, SOUND),
            (18, 0, &[2]),
            (8, HOUR + 4000, SOUND),
            (9, 0, &[0x17, 0]),
            (9, HOUR + 4050, PICTURE),
            (8, HOUR + 4060, SOUND),
        ];
        let passed = pass(&mut Gate::default(), &tags).unwrap();
        let (first, late) = (HOUR + 4000, HOUR + 4060);
        let expected = [
            (8, 0),
            (18, 0),
            (9, 0),
            (9, HOUR + 4050),
            (8, first),
            (8, late),
        ];
        assert_eq!(passed, expected);
    }

    #[test]
    fn sound_waits_as_long_as_what_is_said_allows() {
        for (announced, patience) in [(None, 5_000), (Some(true), 20_000), (Some(false), 0)] {
            let mut gate = Gate::default();
            if let Some(picture) = announced {
                gate.announce(picture);
            }
            let mut passed = Vec::new();
            for time in (HOUR..HOUR + 30_000).step_by(20) {
                passed.extend(pass(&mut gate, &[(8, time, SOUND)]).unwrap());
                assert!(gate.held.len() <= MOST_HELD);
            }
            assert_eq!(passed[0], (8, HOUR + patience), "{announced:?}");
            assert_eq!(passed.len(), (30_000 - patience as usize) / 20);
        }
    }

    #[test]
    fn a_time_that_goes_back_begins_a_stream_anew() {
        const OTHER_SOUND: &[u8] = &[0x2f, 0, 7];
        let rows: &[(&str, &[Brief], bool)] = &[
            (
                "goes on",
                &[(9, HOUR, PICTURE), (9, HOUR + 33, PICTURE)],
                false,
            ),
            (
                "a little disorder",
                &[(9, HOUR, PICTURE), (9, HOUR - 1000, PICTURE)],
                false,
            ),
            (
                "late sound",
                &[(9, HOUR, PICTURE), (8, HOUR - 3000, SOUND)],
                false,
            ),
            (
                "configurations at 0",
                &[
                    (9, HOUR, PICTURE),
                    (8, HOUR, SOUND),
                    (9, 0, &[0x17, 0, 0]),
                    (8, 0, &[0xaf, 0, 0]),
                    (9, HOUR, PICTURE),
                    (8, HOUR, SOUND),
                ],
                false,
            ),
            ("a script at 0", &[(9, HOUR, PICTURE), (18, 0, &[2])], false),
            (
                "another picture",
                &[(9, HOUR, PICTURE), (9, 0, PICTURE)],
                true,
            ),
            ("another sound", &[(8, HOUR, SOUND), (8, 0, SOUND)], true),
            (
                "sound of another codec",
                &[(8, HOUR, OTHER_SOUND), (8, 0, OTHER_SOUND)],
                true,
            ),
            (
                "past 32 bits",
                &[(8, u32::MAX, SOUND), (8, 20, SOUND)],
                true,
            ),
        ];
        for (name, tags, restarts) in rows {
            let passed = pass(&mut Gate::default(), tags);
            assert_eq!(passed.is_err(), *restarts, "{name}");
        }
    }
}
