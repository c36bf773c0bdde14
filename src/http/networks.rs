//! Address ranges in CIDR notation (RFC 4632, RFC 4291 section 2.3).

use std::net::IpAddr;

use super::client_address::Trusted;

/// One range of addresses, e.g. `10.0.0.0/8`, `::1/128`, or a single address.
///
/// IPv4 and IPv4-mapped IPv6 are the same addresses here, as a dual-stack socket shows the latter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    first: IpAddr,
    prefix: u8,
}

impl Network {
    /// Reads `address/prefix` or `address`.
    ///
    /// # Errors
    /// A sentence that says what to write, also for a range with bits set behind its prefix.
    pub fn parse(text: &str) -> Result<Self, String> {
        let unreadable = || {
            format!(
                "\"{text}\" is not a range of addresses. Write e.g. \"10.0.0.0/8\" or \"::1/128\"."
            )
        };
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let first: IpAddr = address.parse().map_err(|_| unreadable())?;
        let bits = width(first);
        let prefix = match prefix {
            None => bits,
            // u8's own parser takes a sign and leading zeros.
            Some(digits)
                if digits.len() <= 3 && digits.bytes().all(|byte| byte.is_ascii_digit()) =>
            {
                digits
                    .parse()
                    .ok()
                    .filter(|prefix| *prefix <= bits)
                    .ok_or_else(unreadable)?
            }
            Some(_) => return Err(unreadable()),
        };
        let network = Self { first, prefix };
        if masked(first, prefix) != value(first) {
            return Err(format!(
                "\"{text}\" has bits set behind its prefix. Write the range's first address."
            ));
        }
        Ok(network)
    }

    /// Whether the address lies in this range.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = match self.first {
            IpAddr::V4(_) => address.to_canonical(),
            IpAddr::V6(_) => match address {
                IpAddr::V4(v4) => IpAddr::V6(v4.to_ipv6_mapped()),
                v6 @ IpAddr::V6(_) => v6,
            },
        };
        width(address) == width(self.first) && masked(address, self.prefix) == value(self.first)
    }
}

/// A list of ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks(Vec<Network>);

impl Networks {
    /// Whether the address lies in any of them.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }
}

impl From<Vec<Network>> for Networks {
    fn from(networks: Vec<Network>) -> Self {
        Self(networks)
    }
}

impl Trusted for Networks {
    fn trusts(&self, address: IpAddr) -> bool {
        self.contains(address)
    }
}

fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

fn value(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

fn masked(address: IpAddr, prefix: u8) -> u128 {
    let below = u32::from(width(address) - prefix);
    value(address)
        .checked_shr(below)
        .and_then(|top| top.checked_shl(below))
        .unwrap_or(0)
}
