//! How many refused requests one address, and one API key, may make. Pure.
//!
//! A token bucket a subject, kept as the one time at which its debt is paid: a refusal adds
//! `recovery` to it, and who owes `burst` of them waits.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

use crate::records::ApiKeyHash;
use crate::token::UnixSeconds;

/// Bounds on refused requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailureLimits {
    /// Refusals in a row before 429; at least 1.
    pub burst: u64,
    /// Seconds after which one more is allowed; at least 1.
    pub recovery_seconds: u64,
    /// Addresses and API keys that are remembered; at least 1.
    pub entries: usize,
}

/// Who is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// An IPv4 address, or an IPv6 network of 64 bits: that is what one customer has.
    Address(IpAddr),
    /// An account, by its API key, once the key is proven.
    Account(ApiKeyHash),
}

impl Subject {
    /// Whom an address stands for.
    pub fn address(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
            v4 @ IpAddr::V4(_) => v4,
        })
    }
}

/// What is remembered of refusals.
#[derive(Debug)]
pub struct Failures {
    limits: FailureLimits,
    paid_at: HashMap<Subject, u64>,
}

impl Failures {
    /// Nobody has failed yet.
    pub fn new(limits: FailureLimits) -> Self {
        Self {
            limits,
            paid_at: HashMap::new(),
        }
    }

    /// Seconds for which a subject has to wait, `None` where it may go on.
    pub fn wait(&self, subject: &Subject, now: UnixSeconds) -> Option<u64> {
        let debt = self.paid_at.get(subject)?.saturating_sub(now.0);
        // A clock that was set back must not make anybody wait for longer than a whole bucket.
        let debt = debt.min(
            self.limits
                .burst
                .saturating_mul(self.limits.recovery_seconds),
        );
        let allowed = (self.limits.burst - 1).saturating_mul(self.limits.recovery_seconds);
        (debt > allowed).then(|| debt - allowed)
    }

    /// Counts a refusal.
    pub fn count(&mut self, subject: Subject, now: UnixSeconds) {
        if !self.paid_at.contains_key(&subject) && self.paid_at.len() >= self.limits.entries {
            self.make_room(now);
        }
        let most = now.0.saturating_add(
            self.limits
                .burst
                .saturating_mul(self.limits.recovery_seconds),
        );
        let paid_at = self.paid_at.entry(subject).or_insert(now.0);
        *paid_at = (*paid_at)
            .max(now.0)
            .saturating_add(self.limits.recovery_seconds)
            .min(most);
    }

    /// Forgets who owes nothing any more, else who owes the least.
    fn make_room(&mut self, now: UnixSeconds) {
        self.paid_at.retain(|_, paid_at| *paid_at > now.0);
        if self.paid_at.len() < self.limits.entries {
            return;
        }
        let least = self
            .paid_at
            .iter()
            .min_by_key(|(_, paid_at)| **paid_at)
            .map(|(subject, _)| *subject);
        if let Some(least) = least {
            self.paid_at.remove(&least);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    const LIMITS: FailureLimits = FailureLimits {
        burst: 3,
        recovery_seconds: 10,
        entries: 4,
    };
    const NOW: UnixSeconds = UnixSeconds(1_000);

    fn subject(address: &str) -> Subject {
        Subject::address(address.parse().unwrap())
    }

    #[test]
    fn who_fails_too_often_waits_and_recovers() {
        let mut failures = Failures::new(LIMITS);
        let one = subject("192.0.2.1");
        for _ in 0..3 {
            assert_eq!(failures.wait(&one, NOW), None);
            failures.count(one, NOW);
        }
        assert_eq!(failures.wait(&one, NOW), Some(10));
        assert_eq!(failures.wait(&one, UnixSeconds(1_009)), Some(1));
        assert_eq!(failures.wait(&one, UnixSeconds(1_010)), None);
        failures.count(one, UnixSeconds(1_010));
        assert_eq!(failures.wait(&one, UnixSeconds(1_010)), Some(10));
        assert_eq!(failures.wait(&subject("192.0.2.2"), NOW), None);
    }

    #[test]
    fn a_clock_set_back_locks_nobody_out_for_long() {
        let mut failures = Failures::new(LIMITS);
        let one = subject("192.0.2.1");
        failures.count(one, UnixSeconds(9_999_999));
        assert!(failures.wait(&one, NOW).unwrap() <= 30);
        failures.count(one, NOW);
        assert_eq!(failures.wait(&one, UnixSeconds(1_030)), None);
    }

    #[test]
    fn the_table_is_bounded_and_forgets_the_least_guilty() {
        let mut failures = Failures::new(LIMITS);
        let guilty = subject("192.0.2.1");
        for _ in 0..3 {
            failures.count(guilty, NOW);
        }
        for last in 2..=250 {
            failures.count(subject(&format!("192.0.2.{last}")), NOW);
            assert!(failures.paid_at.len() <= LIMITS.entries);
        }
        assert!(failures.wait(&guilty, NOW).is_some());
    }

    #[test]
    fn an_address_counts_as_what_one_customer_has() {
        assert!(subject("2001:db8::1") == subject("2001:db8::ffff:2"));
        assert!(subject("2001:db8::1") != subject("2001:db8:0:1::1"));
        assert!(subject("::ffff:192.0.2.1") == subject("192.0.2.1"));
    }
}
