//! The names of what a playlist lists. Pure.

use super::sessions::Capability;
use crate::media::hls::InitId;

/// What can be fetched below a playlist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resource {
    Init(InitId),
    Segment(u64),
    Part(u64, u64),
}

impl Resource {
    /// Reads `<capability>/<name>`, in exactly the spelling that a playlist has.
    pub fn read(path: &str) -> Option<(Capability, Self)> {
        let (capability, name) = path.split_once('/')?;
        let capability = Capability::read(capability)?;
        if let Some(id) = name.strip_prefix("init-") {
            let id = number(id.strip_suffix(".mp4")?)?;
            return Some((capability, Self::Init(id)));
        }
        let name = name.strip_suffix(".m4s")?;
        let resource = match name.split_once('.') {
            None => Self::Segment(number(name)?),
            Some((segment, part)) => Self::Part(number(segment)?, number(part)?),
        };
        Some((capability, resource))
    }
}

/// Digits without a leading zero: every resource has one name.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let canonical = text == "0" || !text.starts_with('0');
    (digits && canonical).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_has_one_name() {
        let capability = "AAAAAAAAAAAAAAAAAAAAAA";
        let rows = [
            ("init-0.mp4", Some(Resource::Init(0))),
            ("1795.m4s", Some(Resource::Segment(1795))),
            ("1795.12.m4s", Some(Resource::Part(1795, 12))),
            ("01795.m4s", None),
            ("1795.00.m4s", None),
            ("1795.1.2.m4s", None),
            ("+1.m4s", None),
            (".m4s", None),
            ("init-.mp4", None),
            ("init-0.m4s", None),
            ("18446744073709551616.m4s", None),
            ("../init-0.mp4", None),
            ("init-0.mp4/", None),
            ("", None),
        ];
        for (name, expected) in rows {
            let read = Resource::read(&format!("{capability}/{name}"));
            assert_eq!(read.map(|(_, resource)| resource), expected, "{name}");
        }
        for capability in [
            "",
            "AAAA",
            "AAAAAAAAAAAAAAAAAAAAAAA",
            "AAAAAAAAAAAAAAAAAAAAA=",
            "AAAAAAAAAAAAAAAAAAAAAB",
        ] {
            let read = Resource::read(&format!("{capability}/1.m4s"));
            assert!(read.is_none(), "{capability}");
        }
    }
}
