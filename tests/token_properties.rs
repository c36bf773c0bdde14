//! What holds for every token, not for samples of it only.
//!
//! Not covered: that the format is the described one; for that see `token_vectors.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use h5live::token::{
    Claims, Denial, Facts, Grant, Host, Key, KeyLookup, Kid, Minted, Options, Orga, Parameters,
    Presented, Query, Scope, Secret, StreamName, Tag, UnixSeconds, message, mint,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::Index;

/// Before any expiry that is drawn for a request.
const NOW: UnixSeconds = UnixSeconds(0);

fn secrets() -> impl Strategy<Value = Secret> {
    vec(any::<u8>(), 16..=256).prop_map(|bytes| Secret::new(bytes).unwrap())
}

fn streams() -> impl Strategy<Value = StreamName> {
    "[A-Za-z0-9]{1,32}(-[A-Za-z0-9_]{1,64}){1,3}".prop_map(|t| stream(&t))
}

fn scopes() -> impl Strategy<Value = Scope> {
    (streams(), any::<bool>()).prop_map(|(stream, whole)| match whole {
        true => Scope::Orga(stream.orga()),
        false => Scope::Stream(stream),
    })
}

fn ips() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<u32>().prop_map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits))),
        any::<u128>().prop_map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits))),
        any::<u32>().prop_map(|bits| IpAddr::V6(Ipv4Addr::from_bits(bits).to_ipv6_mapped())),
    ]
}

fn hosts() -> impl Strategy<Value = Host> {
    "([a-wy-z0-9][a-z0-9]{0,20}\\.){0,3}[a-wy-z]{1,20}".prop_map(|t| Host::bare(&t).unwrap())
}

fn tags() -> impl Strategy<Value = Tag> {
    "\\PC{1,60}".prop_map(|t| Tag::parse(&t).unwrap())
}

fn claims_of(
    scope: impl Strategy<Value = Scope>,
    expires: impl Strategy<Value = u64>,
    ip: impl Strategy<Value = IpAddr>,
    referer: impl Strategy<Value = Host>,
    tag: impl Strategy<Value = Tag>,
) -> impl Strategy<Value = Claims> {
    (
        scope,
        option::of(expires.prop_map(UnixSeconds)),
        option::of(ip),
        option::of(referer),
        option::of(tag),
    )
        .prop_map(|(scope, expires, ip, referer, tag)| Claims {
            scope,
            expires,
            ip,
            referer,
            tag,
        })
}

fn claims() -> impl Strategy<Value = Claims> {
    claims_of(scopes(), 1..=u64::MAX, ips(), hosts(), tags())
}

/// Few letters and short fields, so that fields which could slide into each other often do.
fn slippery_claims() -> impl Strategy<Value = Claims> {
    let scope = prop_oneof![
        "a{1,2}-[a1]{1,3}".prop_map(|t| Scope::Stream(stream(&t))),
        "a{1,3}".prop_map(|t| Scope::Orga(Orga::parse(&t).unwrap())),
    ];
    let ip = prop_oneof![
        Just(IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
        Just(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        Just(IpAddr::V6(Ipv4Addr::UNSPECIFIED.to_ipv6_mapped())),
    ];
    let referer = "a{1,3}".prop_map(|t| Host::bare(&t).unwrap());
    let tag = "[a1]{1,3}".prop_map(|t| Tag::parse(&t).unwrap());
    claims_of(scope, 0..2u64, ip, referer, tag)
}

/// All that a verification takes.
#[derive(Clone, Debug)]
struct Case {
    key: Key,
    stream: StreamName,
    parameters: Parameters,
    facts: Facts,
}

impl Case {
    /// A request that fits the claims. Where they bind nothing, it shows `facts`.
    fn new(secret: &Secret, claims: &Claims, facts: Facts) -> Case {
        let key = secret.key();
        let stream = match &claims.scope {
            Scope::Stream(stream) => stream.clone(),
            Scope::Orga(orga) => stream(&format!("{orga}-any")),
        };
        Case {
            parameters: pass_on(mint(&key, claims)),
            key,
            stream,
            facts: Facts {
                ip: claims.ip.unwrap_or(facts.ip),
                referer: claims.referer.clone().or(facts.referer),
            },
        }
    }

    fn verify(&self) -> Result<Grant, Denial> {
        let found = KeyLookup::Found(self.key.clone());
        Presented::read(&self.parameters, &self.stream)?.verify(found, &self.facts, NOW, 0)
    }
}

fn stream(text: &str) -> StreamName {
    StreamName::parse(text).unwrap()
}

fn pass_on(minted: Minted) -> Parameters {
    Parameters {
        token: Some(minted.token),
        expires: Some(minted.expires),
        options: Some(minted.options.to_string()),
        tag: Some(minted.tag),
    }
}

fn facts() -> impl Strategy<Value = Facts> {
    (ips(), option::of(hosts())).prop_map(|(ip, referer)| Facts { ip, referer })
}

fn cases() -> impl Strategy<Value = (Claims, Case)> {
    (secrets(), claims(), facts()).prop_map(|(secret, claims, facts)| {
        let case = Case::new(&secret, &claims, facts);
        (claims, case)
    })
}

/// What of two claims is the same to a verifier: IPv4 and its mapped form are.
fn canonical(mut claims: Claims) -> Claims {
    claims.ip = claims.ip.map(|ip| ip.to_canonical());
    claims
}

/// Every single change of what `claims` bind, and what is added to them, by name.
fn changed(claims: &Claims, case: &Case, other: &Facts) -> Vec<(&'static str, Case)> {
    let mut changes = Vec::new();
    let mut change = |name, edit: &dyn Fn(&mut Case)| {
        let mut case = case.clone();
        edit(&mut case);
        changes.push((name, case));
    };
    match &claims.scope {
        Scope::Stream(name) => change("stream", &|c| c.stream = stream(&format!("{name}-x"))),
        Scope::Orga(orga) => change("organisation", &|c| {
            // Still an organisation hash when it has 32 characters already.
            let first = if orga.as_str().starts_with('x') {
                "y"
            } else {
                "x"
            };
            c.stream = stream(&format!("{first}{}-any", &orga.as_str()[1..]));
        }),
    }
    if let Some(UnixSeconds(at)) = claims.expires {
        let at = at.checked_add(1).unwrap_or(at - 1);
        change("expires", &|c| c.parameters.expires = Some(at.to_string()));
        change("no expires", &|c| c.parameters.expires = None);
    } else {
        change("expires added", &|c| {
            c.parameters.expires = Some("1".to_owned())
        });
    }
    if let Some(tag) = &claims.tag {
        change("tag", &|c| {
            c.parameters.tag = Some(format!("{}x", tag.as_str()))
        });
        change("no tag", &|c| c.parameters.tag = None);
    } else {
        change("tag added", &|c| c.parameters.tag = Some("x".to_owned()));
    }
    if claims
        .ip
        .is_some_and(|ip| ip.to_canonical() != other.ip.to_canonical())
    {
        change("ip", &|c| c.facts.ip = other.ip);
    }
    if claims.referer.is_some() && claims.referer != other.referer {
        change("referer", &|c| c.facts.referer = other.referer.clone());
    }
    if claims.referer.is_some() {
        change("no referer", &|c| c.facts.referer = None);
    }
    changes
}

fn turn_bit(parameters: &mut Parameters, bit: u8) {
    let options: u16 = parameters.options.as_deref().unwrap().parse().unwrap();
    parameters.options = Some((options ^ (1 << bit)).to_string());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_minted_verifies((claims, case) in cases()) {
        let grant = case.verify().unwrap();
        prop_assert_eq!(grant.stream(), &case.stream);
        prop_assert_eq!(grant.kid(), case.key.kid());
        let granted = Claims {
            scope: grant.scope().clone(),
            expires: grant.expires(),
            ip: grant.ip(),
            referer: grant.referer().cloned(),
            tag: grant.tag().cloned(),
        };
        prop_assert_eq!(granted, canonical(claims));
    }

    #[test]
    fn a_change_of_any_bound_fact_is_denied((claims, case) in cases(), other in facts()) {
        for (name, changed) in changed(&claims, &case, &other) {
            prop_assert!(changed.verify().is_err(), "{}", name);
        }
    }

    /// Also where the parameter of the bit is taken or added with it.
    #[test]
    fn a_change_of_any_bit_of_the_options_is_denied((_, case) in cases(), bit in 0u8..9) {
        let mut changed = case.clone();
        turn_bit(&mut changed.parameters, bit);
        prop_assert!(changed.verify().is_err());
        // With every parameter that the bit could want, and every fact.
        changed.facts.referer.get_or_insert(Host::bare("a.example").unwrap());
        let bits: u16 = changed.parameters.options.as_deref().unwrap().parse().unwrap();
        let fill = |bit: Options, text: &mut Option<String>, with: &str| {
            let set = bits & u16::from(bit.bits()) != 0;
            let given = text.take().filter(|text| !text.is_empty());
            *text = set.then(|| given.unwrap_or_else(|| with.to_owned()));
        };
        fill(Options::EXPIRES, &mut changed.parameters.expires, "18446744073709551615");
        fill(Options::TAG, &mut changed.parameters.tag, "x");
        let denial = changed.verify().unwrap_err();
        let expected = if bit < 5 { Denial::Mismatch } else { Denial::OptionsUnknown };
        prop_assert_eq!(denial, expected);
    }

    #[test]
    fn a_change_of_any_character_of_the_token_is_denied(
        (_, case) in cases(), to in "[A-Za-z0-9_+/=. -]|\\PC"
    ) {
        let token = case.parameters.token.clone().unwrap();
        for at in 0..token.len() {
            if token[at..at + 1] == to {
                continue;
            }
            let mut changed = case.clone();
            changed.parameters.token = Some(format!("{}{to}{}", &token[..at], &token[at + 1..]));
            prop_assert!(changed.verify().is_err(), "character {}", at);
        }
    }

    #[test]
    fn a_token_cut_or_lengthened_is_denied((_, case) in cases(), at in any::<Index>(), more in "[A-Za-z0-9_=-]{1,8}") {
        let token = case.parameters.token.clone().unwrap();
        let at = at.index(token.len());
        for text in [token[..at].to_owned(), token[at + 1..].to_owned(), format!("{token}{more}")] {
            let mut changed = case.clone();
            changed.parameters.token = Some(text);
            prop_assert!(changed.verify().is_err());
        }
    }

    /// Also one that says it has the same key id.
    #[test]
    fn the_key_of_another_secret_opens_nothing((_, case) in cases(), other in secrets()) {
        let other = other.key();
        prop_assume!(!other.same_secret(&case.key));
        for kid in [other.kid(), case.key.kid()] {
            let mut changed = case.clone();
            changed.key = Key::from_parts(kid, *other.signing_bytes(), 0);
            prop_assert!(changed.verify().is_err());
        }
    }

    #[test]
    fn no_two_claims_share_a_message(one in claims(), other in claims()) {
        prop_assert_eq!(message(&one) == message(&other), canonical(one) == canonical(other));
    }

    #[test]
    fn no_two_claims_of_few_letters_share_a_message(all in vec(slippery_claims(), 40)) {
        for one in &all {
            for other in &all {
                prop_assert_eq!(
                    message(one) == message(other),
                    canonical(one.clone()) == canonical(other.clone()),
                    "{:?} and {:?}", one, other
                );
            }
        }
    }

    #[test]
    fn parsers_never_panic(text in any::<String>()) {
        everything_reads(&text);
    }

    /// Letters that matter to one of the parsers, so that arbitrary text gets beyond its first checks.
    #[test]
    fn parsers_never_panic_on_what_nearly_fits(text in "[a-zA-Z0-9:/?#@.%+&=;\\[\\]{}\",_é\0 -]{0,80}") {
        everything_reads(&text);
        everything_reads(&format!("https://{text}"));
        everything_reads(&format!("token={text}&options={text}"));
        everything_reads(&format!("{{\"token\":\"{text}\",\"expires\":{text}}}"));
    }

    #[test]
    fn presented_parameters_never_panic_and_never_open(
        token in option::of("[A-Za-z0-9_-]{50}|\\PC{0,60}"),
        expires in option::of("[0-9]{0,21}|\\PC{0,8}"),
        options in option::of("[0-9]{1,3}|\\PC{0,8}"),
        tag in option::of(any::<String>()),
        name in streams(),
        facts in facts(),
        secret in secrets(),
    ) {
        let parameters = Parameters { token, expires, options, tag };
        if let Ok(presented) = Presented::read(&parameters, &name) {
            for lookup in [KeyLookup::Found(secret.key()), KeyLookup::Unknown, KeyLookup::Unavailable] {
                prop_assert!(presented.verify(lookup, &facts, NOW, u64::MAX).is_err());
            }
        }
    }

    /// What a page can have and what a token can be bound to are the same hosts.
    #[test]
    fn a_bare_name_is_the_host_of_its_page(text in "[a-zA-Z0-9.x-]{1,40}") {
        if let Ok(host) = Host::bare(&text) {
            prop_assert_eq!(Host::of_url(&format!("https://{text}:8443/a?b#c")), Some(host.clone()));
            prop_assert_eq!(Host::bare(host.as_str()), Ok(host));
        }
    }

    #[test]
    fn a_page_has_one_host_in_one_spelling(text in "(https?://)[a-zA-Z0-9.:@/?#\\[\\]%éß_-]{1,40}") {
        if let Some(host) = Host::of_url(&text) {
            prop_assert!(host.as_str().is_ascii() && !host.as_str().ends_with('.'));
            prop_assert!(!host.as_str().contains(|c: char| c.is_ascii_uppercase()));
            let again = Host::of_url(&format!("https://{host}"));
            prop_assert_eq!(again, Some(host));
        }
    }
}

fn everything_reads(text: &str) {
    if let Ok(query) = Query::parse(text) {
        let _ = Parameters::from_query(&query);
    }
    if let Ok(name) = StreamName::parse(text) {
        assert_eq!(Orga::parse(name.orga().as_str()), Ok(name.orga()));
    }
    if let Ok(kid) = text.parse::<Kid>() {
        assert_eq!(kid.to_string(), text);
    }
    let _ = serde_json::from_str::<Parameters>(text);
    let _ = Host::bare(text);
    let _ = Host::of_url(text);
    let _ = Tag::parse(text);
    let _ = Secret::new(text);
}
