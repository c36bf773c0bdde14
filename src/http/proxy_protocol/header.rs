//! The PROXY header (haproxy.org, proxy-protocol.txt, 2020-03-05). Pure.
//!
//! ```text
//! v1   "PROXY" SP ("TCP4" | "TCP6") SP source SP destination SP port SP port CR LF    at most 107 bytes
//!      "PROXY UNKNOWN" … CR LF
//! v2   signature (12)  version, command (1)  family, transport (1)  length (2)  addresses, then TLVs
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The longest v1 header, its line end included (section 2.1).
pub const V1_LONGEST: usize = 107;

/// How each v2 header begins (section 2.2).
pub const V2_SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// What of a header must be read to know its version: all of the signature, and less than the shortest
/// v1 header.
pub const PROBE: usize = V2_SIGNATURE.len();

/// What follows the signature up to the length.
pub const V2_REST: usize = 4;

/// The longest addresses and TLVs that are read. A header is small by its nature (section 2.2 asks
/// receivers for 216 bytes of addresses); a proxy may add a client certificate's name and its own ids.
pub const V2_LONGEST: usize = 2048;

/// Why a header is no good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// Neither version's beginning.
    #[error(
        "a trusted proxy sent no PROXY header; let it send one, or take it off server.trusted-proxies"
    )]
    Missing,
    /// A v1 line that does not keep to its form.
    #[error("the proxy's PROXY line is malformed; let it send version 2")]
    Line,
    /// Longer than is read.
    #[error("the proxy's PROXY header is longer than {V2_LONGEST} bytes; let it send fewer TLVs")]
    Long,
    /// A version or a command that does not exist.
    #[error("the proxy's PROXY header has version and command {0:#04x}, which are not known")]
    Command(u8),
    /// A family or transport that does not exist, or that no TCP connection has.
    #[error("the proxy's PROXY header has family and transport {0:#04x}; let it proxy TCP")]
    Family(u8),
    /// Fewer bytes than the family's addresses have.
    #[error("the proxy's PROXY header is shorter than its addresses")]
    Short,
}

/// The client that a v1 line names, the line end included; `None` where it names none.
pub fn line(line: &[u8]) -> Result<Option<IpAddr>, HeaderError> {
    let text = line.strip_suffix(b"\r\n").ok_or(HeaderError::Line)?;
    let text = std::str::from_utf8(text).map_err(|_| HeaderError::Line)?;
    let mut words = text.split(' ');
    if words.next() != Some("PROXY") {
        return Err(HeaderError::Missing);
    }
    let address: fn(&str) -> Option<IpAddr> = match words.next() {
        Some("TCP4") => |word| word.parse().map(IpAddr::V4).ok(),
        Some("TCP6") => |word| word.parse().map(IpAddr::V6).ok(),
        // Whatever follows is to be passed over.
        Some("UNKNOWN") => return Ok(None),
        _ => return Err(HeaderError::Line),
    };
    let mut read = |form: &dyn Fn(&str) -> bool| {
        let word = words.next().ok_or(HeaderError::Line)?;
        form(word).then_some(word).ok_or(HeaderError::Line)
    };
    let source = read(&|word| address(word).is_some())?;
    read(&|word| address(word).is_some())?;
    read(&is_port)?;
    read(&is_port)?;
    match words.next() {
        Some(_) => Err(HeaderError::Line),
        None => Ok(address(source)),
    }
}

/// Digits alone: the standard library's parser would take a sign.
fn is_port(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_digit()) && word.parse::<u16>().is_ok()
}

/// How many bytes follow the four that follow a v2 signature.
pub fn length(rest: [u8; V2_REST]) -> Result<usize, HeaderError> {
    let [.., high, low] = rest;
    let length = usize::from(u16::from_be_bytes([high, low]));
    (length <= V2_LONGEST)
        .then_some(length)
        .ok_or(HeaderError::Long)
}

/// The client that a v2 header names, from what follows its signature; `None` where it names none.
pub fn binary(rest: [u8; V2_REST], payload: &[u8]) -> Result<Option<IpAddr>, HeaderError> {
    let [command, family, ..] = rest;
    match command {
        // LOCAL: the proxy speaks for itself, and the family is to be passed over.
        0x20 => return Ok(None),
        0x21 => {}
        other => return Err(HeaderError::Command(other)),
    }
    match family {
        // AF_UNSPEC; AF_UNIX over a stream.
        0x00 | 0x31 => Ok(None),
        0x11 => {
            // Two addresses and two ports.
            let (source, _) = payload
                .first_chunk::<12>()
                .and_then(|all| all.split_first_chunk::<4>())
                .ok_or(HeaderError::Short)?;
            Ok(Some(IpAddr::V4(Ipv4Addr::from(*source))))
        }
        0x21 => {
            let (source, _) = payload
                .first_chunk::<36>()
                .and_then(|all| all.split_first_chunk::<16>())
                .ok_or(HeaderError::Short)?;
            Ok(Some(IpAddr::V6(Ipv6Addr::from(*source))))
        }
        other => Err(HeaderError::Family(other)),
    }
}
