//! Which address a request comes from, when proxies stand in front. Pure.

use std::net::IpAddr;

/// Whom the operator trusts to tell a client's address.
pub trait Trusted: Send + Sync {
    /// Whether an address is one of the operator's own proxies.
    fn trusts(&self, address: IpAddr) -> bool;
}

/// Nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nobody;

impl Trusted for Nobody {
    fn trusts(&self, _: IpAddr) -> bool {
        false
    }
}

/// The right-most address that is not a trusted proxy's, going from the socket's peer through
/// `X-Forwarded-For` from its end. Headers of an untrusted peer count for nothing; a value that is no
/// address ends the walk at the proxy that passed it on, because what stands before it can't be
/// believed.
pub fn client_address<'a>(
    peer: IpAddr,
    forwarded_for: impl DoubleEndedIterator<Item = &'a str>,
    trusted: &dyn Trusted,
) -> IpAddr {
    let mut address = peer.to_canonical();
    let hops = forwarded_for.rev().flat_map(|value| value.rsplit(','));
    for hop in hops {
        if !trusted.trusts(address) {
            break;
        }
        match hop.trim().parse::<IpAddr>() {
            Ok(hop) => address = hop.to_canonical(),
            Err(_) => break,
        }
    }
    address
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    struct Proxies;

    impl Trusted for Proxies {
        fn trusts(&self, address: IpAddr) -> bool {
            ["10.0.0.1", "10.0.0.2", "::1"].contains(&address.to_string().as_str())
        }
    }

    #[test]
    fn forwarded_addresses() {
        let rows: [(&str, &str, &[&str], &str); 11] = [
            ("no header", "198.51.100.7", &[], "198.51.100.7"),
            (
                "untrusted peer lies",
                "198.51.100.7",
                &["203.0.113.9"],
                "198.51.100.7",
            ),
            ("one proxy", "10.0.0.1", &["203.0.113.9"], "203.0.113.9"),
            (
                "two proxies",
                "10.0.0.1",
                &["203.0.113.9, 10.0.0.2"],
                "203.0.113.9",
            ),
            (
                "the client forged a hop",
                "10.0.0.1",
                &["192.0.2.1, 203.0.113.9"],
                "203.0.113.9",
            ),
            (
                "two headers",
                "10.0.0.1",
                &["192.0.2.1", "203.0.113.9"],
                "203.0.113.9",
            ),
            (
                "the client names a proxy",
                "10.0.0.1",
                &["10.0.0.2, 203.0.113.9"],
                "203.0.113.9",
            ),
            ("garbage", "10.0.0.1", &["203.0.113.9, x"], "10.0.0.1"),
            (
                "a zone id is garbage",
                "10.0.0.1",
                &["fe80::1%eth0"],
                "10.0.0.1",
            ),
            (
                "mapped peer",
                "::ffff:10.0.0.1",
                &["::ffff:203.0.113.9"],
                "203.0.113.9",
            ),
            ("v6", "::1", &["2001:db8::7"], "2001:db8::7"),
        ];
        for (name, peer, headers, expected) in rows {
            let found = client_address(peer.parse().unwrap(), headers.iter().copied(), &Proxies);
            assert_eq!(found.to_string(), expected, "{name}");
        }
        let peer = "10.0.0.1".parse().unwrap();
        assert_eq!(
            client_address(peer, ["203.0.113.9"].into_iter(), &Nobody),
            peer
        );
    }
}
