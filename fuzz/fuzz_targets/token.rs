//! Whatever a query says, a stream opens to nothing but to what was minted for it.

#![no_main]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::LazyLock;

use h5live::token::{
    Claims, Facts, Key, KeyLookup, Minted, Parameters, Presented, Query, Scope, Secret, StreamName,
    Tag, UnixSeconds, mint,
};
use libfuzzer_sys::fuzz_target;

const EXPIRES: UnixSeconds = UnixSeconds(2_000_000_000);
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

struct Scene {
    key: Key,
    claims: Claims,
    minted: Minted,
    stream: StreamName,
    neighbour: StreamName,
}

static SCENE: LazyLock<Scene> = LazyLock::new(|| {
    let stream = StreamName::parse("ABCDE-demo").expect("a name");
    let key = Secret::new("a secret of sixteen")
        .expect("long enough")
        .key();
    let claims = Claims {
        expires: Some(EXPIRES),
        ip: Some(CLIENT),
        tag: Some(Tag::parse("a").expect("a tag")),
        ..Claims::of(Scope::Stream(stream.clone()))
    };
    Scene {
        minted: mint(&key, &claims),
        neighbour: StreamName::parse("ABCDE-other").expect("a name"),
        key,
        claims,
        stream,
    }
});

// A tilde stands for the token, which nobody finds by chance.
fuzz_target!(|text: &str| {
    let scene = &*SCENE;
    let text = text.replace('~', &scene.minted.token);
    let Ok(query) = Query::parse(&text) else {
        return;
    };
    let Ok(parameters) = Parameters::from_query(&query) else {
        return;
    };
    for stream in [&scene.stream, &scene.neighbour] {
        let Ok(presented) = Presented::read(&parameters, stream) else {
            continue;
        };
        for (ip, now) in [(CLIENT, 0), (OTHER, 0), (CLIENT, EXPIRES.0)] {
            let facts = Facts { ip, referer: None };
            let found = KeyLookup::Found(scene.key.clone());
            let Ok(grant) = presented.verify(found, &facts, UnixSeconds(now), 0) else {
                continue;
            };
            assert_eq!((stream, ip, now), (&scene.stream, CLIENT, 0));
            assert_eq!(grant.stream(), stream);
            assert_eq!(grant.scope(), &scene.claims.scope);
            assert_eq!(grant.expires(), scene.claims.expires);
            assert_eq!(grant.tag(), scene.claims.tag.as_ref());
            // One way to write it, so that nobody else reads another token out of the same query.
            assert_eq!(parameters.token.as_ref(), Some(&scene.minted.token));
            assert_eq!(parameters.expires.as_ref(), Some(&scene.minted.expires));
            assert_eq!(parameters.options, Some(scene.minted.options.to_string()));
        }
    }
});
