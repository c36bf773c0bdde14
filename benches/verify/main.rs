//! How many tokens one core verifies in a second: valid ones, and those that an attacker sends.
//! `README.md` beside this directory says how to read it.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};

use h5live::token::{
    Claims, Denial, Facts, Grant, Host, Key, KeyLookup, Parameters, Presented, Query, Scope,
    Secret, StreamName, Tag, UnixSeconds, mint,
};
use serde_json::{Value, json};
use support::figures::{Spread, print_table, write_json};
use support::machine::{self, cpu_nanos};

const NOW: UnixSeconds = UnixSeconds(1_800_000_000);
const TOKENS: u64 = 10_000;

/// A bad letter, wherever it stands, must not decide how long it takes.
const FORGED_LETTER: usize = 30;

struct Tokens {
    key: Key,
    queries: Vec<String>,
    facts: Facts,
}

type Verdict = Result<Grant, Denial>;

impl Tokens {
    /// Bound to all that a token can be bound to, which is the most work.
    fn mint(key: &Key, expires: UnixSeconds) -> Self {
        let referer = Host::bare("player.example.test").expect("a host");
        let ip = IpAddr::from(Ipv4Addr::new(192, 0, 2, 7));
        let queries = (0..TOKENS).map(|number| {
            let stream = StreamName::parse(&format!("BENCH-{}", number % 100)).expect("a name");
            let minted = mint(
                key,
                &Claims {
                    scope: Scope::Stream(stream.clone()),
                    expires: Some(expires),
                    ip: Some(ip),
                    referer: Some(referer.clone()),
                    tag: Some(Tag::parse(&format!("viewer-{number}")).expect("a tag")),
                },
            );
            format!(
                "url=rtmp%3A%2F%2Forigin.test%2Flive&stream={}&cid={number}&pid=62389951444\
                 &expires={}&tag={}&token={}&options={}",
                stream.as_str(),
                minted.expires,
                minted.tag,
                minted.token,
                minted.options.bits(),
            )
        });
        Self {
            key: key.clone(),
            queries: queries.collect(),
            facts: Facts {
                ip,
                referer: Some(referer),
            },
        }
    }

    fn lookup(&self) -> KeyLookup {
        KeyLookup::Found(self.key.clone())
    }

    fn forge(mut self) -> Self {
        for query in &mut self.queries {
            let at = query.find("token=").expect("a token") + "token=".len() + FORGED_LETTER;
            let other = if &query[at..=at] == "A" { "B" } else { "A" };
            query.replace_range(at..=at, other);
        }
        self
    }

    fn read(&self) -> Vec<Presented> {
        let read = self.queries.iter().map(|query| read(query));
        read.collect::<Result<_, _>>().expect("well-formed tokens")
    }
}

fn read(query: &str) -> Result<Presented, Denial> {
    let query = Query::parse(query).expect("a query");
    let stream = query.get("stream").expect("one").expect("a stream");
    let stream = StreamName::parse(stream).expect("a name");
    Presented::read(&Parameters::from_query(&query)?, &stream)
}

/// Verifications in a second of CPU time, in each of some repeats. The verdicts are checked: a fast
/// answer that is wrong is no answer.
fn rate<T>(
    repeats: usize,
    tokens: &[T],
    wanted: Option<Denial>,
    verify: impl Fn(&T) -> Verdict,
) -> Spread {
    Spread::of((0..repeats).map(|_| {
        let start = cpu_nanos();
        for token in tokens {
            let denial = verify(black_box(token)).err();
            assert_eq!(black_box(denial), wanted);
        }
        tokens.len() as f64 / (cpu_nanos() - start) as f64 * 1e9
    }))
}

fn main() {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let repeats = if quick { 5 } else { 51 };
    let described = machine::describe();
    machine::pin(machine::MEASURED_CORE);
    machine::print(&described);
    println!("verifications per second and core, of {TOKENS} tokens, {repeats} times");

    let key = Secret::new(*b"the secret of the verify bench")
        .expect("long enough")
        .key();
    let later = UnixSeconds(NOW.0 + 3600);
    let valid = Tokens::mint(&key, later);
    let forged = Tokens::mint(&key, later).forge();
    let expired = Tokens::mint(&key, NOW);

    let mut rows = vec![
        ["verify alone", "with its query", "verdict"]
            .map(str::to_owned)
            .to_vec(),
    ];
    let mut figures = Vec::new();
    let cases: [(&str, &Tokens, bool, Option<Denial>); 4] = [
        ("valid", &valid, true, None),
        ("forged", &forged, true, Some(Denial::Mismatch)),
        ("of an unknown key", &valid, false, Some(Denial::KeyUnknown)),
        ("expired", &expired, true, Some(Denial::Expired)),
    ];
    for (name, tokens, known, denial) in cases {
        let lookup = || {
            if known {
                tokens.lookup()
            } else {
                KeyLookup::Unknown
            }
        };
        let alone = rate(repeats, &tokens.read(), denial, |presented| {
            presented.verify(lookup(), &tokens.facts, NOW, 0)
        });
        let whole = rate(repeats, &tokens.queries, denial, |query| {
            read(query)?.verify(lookup(), &tokens.facts, NOW, 0)
        });
        rows.push(vec![alone.text(0), whole.text(0), name.to_owned()]);
        figures.push(figure(name, alone, whole));
    }
    print_table(&rows);
    write_json(
        "verify",
        &json!({"machine": described, "repeats": repeats, "per_second": figures}),
    );
}

fn figure(name: &str, alone: Spread, whole: Spread) -> Value {
    json!({"verdict": name, "verify": alone.json(), "with_query": whole.json()})
}
