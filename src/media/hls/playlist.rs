//! The media playlist as text (RFC 8216bis).

use std::fmt::{self, Write};

use super::window::{Part, Segment, UnixMillis, Window};
use crate::media::fragment::Span;

/// The version that EXT-X-SKIP needs (RFC 8216bis, 8).
const VERSION: u32 = 9;

/// Parts are listed of the segments within so many target durations of the end (6.2.2 asks for
/// three).
const PARTS_WITHIN: u64 = 3;

/// What may be skipped lies so many target durations before the end (4.4.3.8 asks for six at least).
const SKIP_UNTIL: u64 = 6;

/// The shortest target duration, in seconds.
const LEAST_TARGET: u64 = 2;

/// Stands before every URI, for whoever sends the playlist to put a viewer's own prefix there: all
/// viewers' playlists are written once.
pub const PREFIX: &str = "\u{1}";

/// Writes a window's playlist; with `skip`, for a player that has an earlier one and asks for the
/// changes (`_HLS_skip=YES`).
pub(super) fn write(window: &Window, skip: bool) -> String {
    let mut text = String::with_capacity(8192);
    // A String takes whatever is written to it.
    let _ = write_to(&mut text, window, skip);
    text
}

fn write_to(out: &mut String, window: &Window, skip: bool) -> fmt::Result {
    let target = target_seconds(window);
    let part_target = seconds(window.settings.part_target);
    let first = window.segments.front();
    writeln!(out, "#EXTM3U")?;
    writeln!(out, "#EXT-X-VERSION:{VERSION}")?;
    writeln!(out, "#EXT-X-TARGETDURATION:{target}")?;
    writeln!(out, "#EXT-X-PART-INF:PART-TARGET={part_target:.3}")?;
    writeln!(
        out,
        "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK={:.3},CAN-SKIP-UNTIL={}",
        3.0 * part_target,
        SKIP_UNTIL * target
    )?;
    writeln!(out, "#EXT-X-INDEPENDENT-SEGMENTS")?;
    let number = first.map_or(window.edge().segment, |segment| segment.number);
    writeln!(out, "#EXT-X-MEDIA-SEQUENCE:{number}")?;
    writeln!(
        out,
        "#EXT-X-DISCONTINUITY-SEQUENCE:{}",
        window.discontinuities
    )?;

    let end: u64 = window.segments.iter().map(|segment| segment.duration).sum();
    let skipped = if skip {
        skippable(window, end, SKIP_UNTIL * target * Span::TIMESCALE)
    } else {
        0
    };
    if skipped > 0 {
        writeln!(out, "#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}")?;
    }
    let mut map = None;
    let mut from_end = end;
    for (index, segment) in window.segments.iter().enumerate() {
        let with_parts = from_end <= PARTS_WITHIN * target * Span::TIMESCALE || !segment.whole;
        from_end -= segment.duration;
        if index < skipped {
            // The player has its tags, the map among them.
            map = Some(segment.init);
            continue;
        }
        if segment.discontinuity {
            writeln!(out, "#EXT-X-DISCONTINUITY")?;
        }
        if map != Some(segment.init) {
            writeln!(out, "#EXT-X-MAP:URI=\"{PREFIX}init-{}.mp4\"", segment.init)?;
            map = Some(segment.init);
        }
        write_segment(out, segment, with_parts)?;
    }
    let edge = window.edge();
    let (number, part) = (edge.segment, edge.parts);
    writeln!(
        out,
        "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"{PREFIX}{number}.{part}.m4s\""
    )
}

fn write_segment(out: &mut String, segment: &Segment, with_parts: bool) -> fmt::Result {
    let number = segment.number;
    if segment.whole || segment.listed > 0 {
        writeln!(out, "#EXT-X-PROGRAM-DATE-TIME:{}", Date(segment.date))?;
    }
    if with_parts {
        for (index, part) in segment.parts.iter().take(segment.listed).enumerate() {
            write_part(out, part, &format!("{PREFIX}{number}.{index}.m4s"))?;
        }
    }
    if segment.whole {
        writeln!(out, "#EXTINF:{:.5},", seconds(segment.duration))?;
        writeln!(out, "{PREFIX}{number}.m4s")?;
    }
    Ok(())
}

fn write_part(out: &mut String, part: &Part, uri: &str) -> fmt::Result {
    let duration = seconds(part.duration);
    let independent = if part.independent {
        ",INDEPENDENT=YES"
    } else {
        ""
    };
    writeln!(
        out,
        "#EXT-X-PART:DURATION={duration:.5},URI=\"{uri}\"{independent}"
    )
}

/// How many of the oldest segments end before the skip boundary.
fn skippable(window: &Window, end: u64, boundary: u64) -> usize {
    let mut left = end;
    let old = window.segments.iter().take_while(|segment| {
        left -= segment.duration;
        segment.whole && left > boundary
    });
    old.count()
}

fn target_seconds(window: &Window) -> u64 {
    // 4.4.3.1: durations rounded to the nearest second do not exceed it.
    let longest = (window.longest + Span::TIMESCALE / 2) / Span::TIMESCALE;
    longest.max(LEAST_TARGET)
}

fn seconds(ticks: u64) -> f64 {
    ticks as f64 / Span::TIMESCALE as f64
}

/// RFC 3339 in UTC, to the millisecond.
struct Date(UnixMillis);

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (day, of_day) = (self.0 / 86_400_000, self.0 % 86_400_000);
        let (year, month, day) = civil(day);
        let (hour, minute) = (of_day / 3_600_000, of_day / 60_000 % 60);
        let (second, milli) = (of_day / 1000 % 60, of_day % 1000);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z"
        )
    }
}

/// Year, month and day of a day since 1970-01-01, in the proleptic Gregorian calendar: whole cycles
/// of 400 years from March on, so that the leap day is a year's last.
fn civil(day: u64) -> (u64, u64, u64) {
    let days = day + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        let rows = [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_591_747_200_123, "2020-06-10T00:00:00.123Z"),
            (4_102_444_799_999, "2099-12-31T23:59:59.999Z"),
        ];
        for (millis, expected) in rows {
            assert_eq!(Date(millis).to_string(), expected);
        }
    }
}
