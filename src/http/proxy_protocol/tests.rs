#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::Ipv6Addr;

use proptest::prelude::*;

use super::header::{V2_LONGEST, binary, length, line};
use super::*;

/// What is read of these bytes, and how many of them are left.
fn read(bytes: &[u8]) -> (Result<IpAddr, String>, usize) {
    let mut left = bytes;
    let mut future = Box::pin(client(&mut left));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    // A slice never waits.
    let outcome = match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(outcome) => outcome.map_err(|error| error.to_string()),
        std::task::Poll::Pending => panic!("a slice waits"),
    };
    drop(future);
    (outcome, left.len())
}

fn v2(command: u8, family: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = V2_SIGNATURE.to_vec();
    bytes.extend([command, family]);
    bytes.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
    bytes.extend(payload);
    bytes
}

#[test]
fn headers_that_name_a_client_and_those_that_name_none() {
    let v4 = [203, 0, 113, 9, 10, 0, 0, 1, 0x1F, 0x90, 1, 0xBB];
    let mut v6 = Ipv6Addr::from_bits(0x2001_0db8 << 96 | 7).octets().to_vec();
    v6.extend([0; 20]);
    let tlvs = [&v4[..], &[0x03, 0, 4, 1, 2, 3, 4]].concat();
    let rows: [(&str, Vec<u8>, &str); 11] = [
        (
            "v1 TCP4",
            b"PROXY TCP4 203.0.113.9 10.0.0.1 56324 443\r\n".into(),
            "203.0.113.9",
        ),
        (
            "v1 TCP6",
            b"PROXY TCP6 2001:db8::7 ::1 1 2\r\n".into(),
            "2001:db8::7",
        ),
        (
            "v1 mapped",
            b"PROXY TCP6 ::ffff:203.0.113.9 ::1 1 2\r\n".into(),
            "203.0.113.9",
        ),
        ("v1 unknown", b"PROXY UNKNOWN\r\n".into(), "0.0.0.0"),
        (
            "v1 unknown with more",
            b"PROXY UNKNOWN ffff::1 x y\r\n".into(),
            "0.0.0.0",
        ),
        ("v2 TCP4", v2(0x21, 0x11, &v4), "203.0.113.9"),
        ("v2 TCP4 with TLVs", v2(0x21, 0x11, &tlvs), "203.0.113.9"),
        ("v2 TCP6", v2(0x21, 0x21, &v6), "2001:db8::7"),
        ("v2 LOCAL", v2(0x20, 0x00, &[]), "0.0.0.0"),
        ("v2 LOCAL with an address", v2(0x20, 0x11, &v4), "0.0.0.0"),
        ("v2 AF_UNIX", v2(0x21, 0x31, &[0; 216]), "0.0.0.0"),
    ];
    for (name, mut bytes, expected) in rows {
        bytes.extend(b"GET /");
        let (found, left) = read(&bytes);
        assert_eq!(
            found.map(|ip| ip.to_string()),
            Ok(expected.to_owned()),
            "{name}"
        );
        assert_eq!(left, 5, "{name} takes what is not its own");
    }
}

#[test]
fn headers_that_are_refused() {
    let rows: Vec<(&str, Vec<u8>)> = vec![
        ("HTTP", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".into()),
        (
            "TLS",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03abcdef".into(),
        ),
        (
            "lower case",
            b"proxy TCP4 203.0.113.9 10.0.0.1 1 2\r\n".into(),
        ),
        (
            "another family's address",
            b"PROXY TCP4 2001:db8::7 ::1 1 2\r\n".into(),
        ),
        (
            "v4 as v6",
            b"PROXY TCP6 203.0.113.9 10.0.0.1 1 2\r\n".into(),
        ),
        ("a zone", b"PROXY TCP6 fe80::1%1 ::1 1 2\r\n".into()),
        (
            "a leading zero",
            b"PROXY TCP4 203.0.113.09 10.0.0.1 1 2\r\n".into(),
        ),
        ("UDP", b"PROXY UDP4 203.0.113.9 10.0.0.1 1 2\r\n".into()),
        (
            "two spaces",
            b"PROXY TCP4  203.0.113.9 10.0.0.1 1 2\r\n".into(),
        ),
        ("a tab", b"PROXY TCP4\t203.0.113.9 10.0.0.1 1 2\r\n".into()),
        ("one port", b"PROXY TCP4 203.0.113.9 10.0.0.1 1\r\n".into()),
        (
            "three ports",
            b"PROXY TCP4 203.0.113.9 10.0.0.1 1 2 3\r\n".into(),
        ),
        (
            "a port too large",
            b"PROXY TCP4 203.0.113.9 10.0.0.1 1 65536\r\n".into(),
        ),
        (
            "a signed port",
            b"PROXY TCP4 203.0.113.9 10.0.0.1 1 +2\r\n".into(),
        ),
        (
            "no carriage return",
            b"PROXY TCP4 203.0.113.9 10.0.0.1 1 2\n".into(),
        ),
        ("no line end", b"PROXY TCP4 203.0.113.9 10.0.0.1 1 2".into()),
        (
            "a line too long",
            [&b"PROXY UNKNOWN "[..], &[b'a'; 200], b"\r\n"].concat(),
        ),
        (
            "no text",
            b"PROXY TCP4 203.0.113.9 10.0.0.\xE9 1 2\r\n".into(),
        ),
        ("version 1 in v2", v2(0x11, 0x11, &[0; 12])),
        ("command 2", v2(0x22, 0x11, &[0; 12])),
        ("UDP in v2", v2(0x21, 0x12, &[0; 12])),
        ("no such family", v2(0x21, 0x41, &[0; 36])),
        ("v4 one byte short", v2(0x21, 0x11, &[0; 11])),
        ("v6 one byte short", v2(0x21, 0x21, &[0; 35])),
        ("too many TLVs", v2(0x21, 0x11, &vec![0; V2_LONGEST + 1])),
        ("half a signature", V2_SIGNATURE[..6].into()),
        ("a signature alone", V2_SIGNATURE.into()),
        ("nothing", Vec::new()),
    ];
    for (name, bytes) in rows {
        let (found, _) = read(&bytes);
        assert!(found.is_err(), "{name}: {found:?}");
    }
}

proptest! {
    #[test]
    fn a_line_tells_the_address_that_it_was_written_with(source: IpAddr, port: u16) {
        let (family, other) = match source {
            IpAddr::V4(_) => ("TCP4", "10.0.0.1"),
            IpAddr::V6(_) => ("TCP6", "::1"),
        };
        let text = format!("PROXY {family} {source} {other} {port} {port}\r\n");
        prop_assert_eq!(line(text.as_bytes()), Ok(Some(source)));
        prop_assert_eq!(read(text.as_bytes()), (Ok(source.to_canonical()), 0));
    }

    #[test]
    fn a_binary_header_tells_it_whatever_tlvs_follow(source: IpAddr, tlvs: Vec<u8>) {
        let (family, mut payload) = match source {
            IpAddr::V4(v4) => (0x11, [&v4.octets()[..], &[0; 8]].concat()),
            IpAddr::V6(v6) => (0x21, [&v6.octets()[..], &[0; 20]].concat()),
        };
        payload.extend(&tlvs);
        prop_assert_eq!(binary([0x21, family, 0, 0], &payload), Ok(Some(source)));
        let bytes = v2(0x21, family, &payload);
        prop_assert_eq!(read(&bytes), (Ok(source.to_canonical()), 0));
    }

    #[test]
    fn whatever_comes_is_read_within_the_bound(bytes: Vec<u8>, signed: bool, worded: bool) {
        let mut all = Vec::new();
        if signed {
            all.extend(V2_SIGNATURE);
        } else if worded {
            all.extend(b"PROXY TCP4 ");
        }
        all.extend(&bytes);
        all.resize(all.len() + 70_000, 0);
        let (_, left) = read(&all);
        prop_assert!(all.len() - left <= PROBE + V2_REST + V2_LONGEST);
    }

    #[test]
    fn no_length_past_the_bound(rest: [u8; V2_REST]) {
        prop_assert!(length(rest).is_ok_and(|length| length <= V2_LONGEST) || length(rest) == Err(HeaderError::Long));
    }
}
