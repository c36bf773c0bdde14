//! Who is logged in. Kept in memory: a restart logs everybody out.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::header::{COOKIE, HeaderMap};
use sha2::{Digest, Sha256};

use crate::records::Operator;

/// The cookie that names a login. It stands for 256 random bits.
pub const COOKIE_NAME: &str = "h5live_console";

/// Logins at once; one more takes the place of the one that was not used for longest.
const MOST: usize = 64;

/// Cookies of our name that are looked at in one request: another server on the same host may set some.
const COOKIES: usize = 4;

/// How often it is looked whether the operator is still one, and the password still the same.
const PROOF_HOLDS: Duration = Duration::from_secs(10);

/// How long a login lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// Without a request.
    pub idle: Duration,
    /// At most.
    pub whole: Duration,
}

/// A login's name in memory: the cookie's SHA-256, so that a dump of memory opens nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key([u8; 32]);

/// One login, as a request finds it.
#[derive(Clone)]
pub struct Login {
    /// Its name.
    pub key: Key,
    /// Who.
    pub operator: Operator,
    /// What each request that changes something must carry.
    pub csrf: String,
    /// Whether the records are to be asked again.
    pub stale: bool,
}

struct Entry {
    operator: Operator,
    csrf: String,
    begun: Instant,
    used: Instant,
    proven: Instant,
}

/// All of them.
pub struct Logins {
    lifetime: Lifetime,
    table: Mutex<HashMap<Key, Entry>>,
}

impl Logins {
    /// Nobody is logged in.
    pub fn new(lifetime: Lifetime) -> Self {
        Self {
            lifetime,
            table: Mutex::default(),
        }
    }

    /// Begins one; the cookie's value. `None` where the system gives no random numbers.
    pub fn begin(&self, operator: Operator, now: Instant) -> Option<String> {
        let (cookie, csrf) = (random()?, random()?);
        let entry = Entry {
            operator,
            csrf,
            begun: now,
            used: now,
            proven: now,
        };
        let mut table = self.lock(now);
        if table.len() >= MOST {
            let idle = table.iter().min_by_key(|(_, entry)| entry.used);
            if let Some(key) = idle.map(|(key, _)| *key) {
                table.remove(&key);
            }
        }
        table.insert(key_of(&cookie), entry);
        Some(cookie)
    }

    /// The login of a request.
    pub fn find(&self, headers: &HeaderMap, now: Instant) -> Option<Login> {
        let pairs = headers.get_all(COOKIE).iter();
        let pairs = pairs.filter_map(|value| value.to_str().ok());
        let values = pairs
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(name, _)| *name == COOKIE_NAME);
        values
            .take(COOKIES)
            .find_map(|(_, value)| self.used(key_of(value), now))
    }

    /// A login that is used again.
    pub fn used(&self, key: Key, now: Instant) -> Option<Login> {
        let mut table = self.lock(now);
        let entry = table.get_mut(&key)?;
        entry.used = now;
        Some(Login {
            key,
            operator: entry.operator.clone(),
            csrf: entry.csrf.clone(),
            stale: now.saturating_duration_since(entry.proven) >= PROOF_HOLDS,
        })
    }

    /// The records have said that it still holds.
    pub fn prove(&self, key: Key, now: Instant) {
        if let Some(entry) = self.lock(now).get_mut(&key) {
            entry.proven = now;
        }
    }

    /// Ends one.
    pub fn end(&self, key: Key, now: Instant) {
        self.lock(now).remove(&key);
    }

    fn lock(&self, now: Instant) -> MutexGuard<'_, HashMap<Key, Entry>> {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let Lifetime { idle, whole } = self.lifetime;
        table.retain(|_, entry| {
            now.saturating_duration_since(entry.used) < idle
                && now.saturating_duration_since(entry.begun) < whole
        });
        table
    }
}

/// The comparison of two texts takes the same time wherever they differ.
pub fn same(one: &str, other: &str) -> bool {
    let digest = |text: &str| Sha256::digest(text.as_bytes());
    digest(one) == digest(other)
}

fn key_of(cookie: &str) -> Key {
    Key(Sha256::digest(cookie.as_bytes()).into())
}

fn random() -> Option<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).ok()?;
    Some(URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::records::OperatorName;
    use crate::token::UnixSeconds;

    const LIFETIME: Lifetime = Lifetime {
        idle: Duration::from_secs(60),
        whole: Duration::from_secs(300),
    };

    fn operator() -> Operator {
        Operator {
            name: OperatorName::parse("ada").unwrap(),
            password: "hash".to_owned(),
            created: UnixSeconds(1),
        }
    }

    fn cookie(value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let line = format!("a=b; {COOKIE_NAME}=other; {COOKIE_NAME}={value}");
        headers.insert(COOKIE, line.parse().unwrap());
        headers
    }

    #[test]
    fn a_login_ends_idle_and_at_the_latest() {
        let (logins, start) = (Logins::new(LIFETIME), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let headers = cookie(&logins.begin(operator(), start).unwrap());
        assert!(logins.find(&cookie("none"), at(1)).is_none());
        for seconds in (1..300).step_by(50) {
            assert!(logins.find(&headers, at(seconds)).is_some(), "{seconds}");
        }
        assert!(logins.find(&headers, at(300)).is_none());
        let headers = cookie(&logins.begin(operator(), at(300)).unwrap());
        assert!(logins.find(&headers, at(360)).is_none());
    }

    #[test]
    fn the_records_are_asked_again_and_logins_are_bounded() {
        let (logins, start) = (Logins::new(LIFETIME), Instant::now());
        let first = cookie(&logins.begin(operator(), start).unwrap());
        let later = start + PROOF_HOLDS;
        let login = logins.find(&first, later).unwrap();
        assert!(login.stale);
        logins.prove(login.key, later);
        assert!(!logins.find(&first, later).unwrap().stale);
        for _ in 0..MOST {
            logins.begin(operator(), later + PROOF_HOLDS).unwrap();
        }
        assert!(logins.find(&first, later + PROOF_HOLDS).is_none());
        assert_eq!(logins.lock(later).len(), MOST);
    }
}
