#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::token::{
    Claims, Facts, KeyLookup, Orga, Parameters, Presented, Scope, Secret, Selection, StreamName,
    mint,
};

const BESIDE: Counting<'static> = Counting::Beside;

fn client() -> IpAddr {
    "192.0.2.7".parse().unwrap()
}

fn scope(stream: &str) -> Scope {
    Scope::Stream(StreamName::parse(stream).unwrap())
}

fn grant(stream: &str, expires: Option<u64>) -> Grant {
    let key = Secret::new("the secret of these grants").unwrap().key();
    let mut claims = Claims::of(scope(stream));
    claims.expires = expires.map(UnixSeconds);
    let minted = mint(&key, &claims);
    let parameters = Parameters {
        token: Some(minted.token),
        options: Some(minted.options.to_string()),
        expires: Some(minted.expires),
        ..Parameters::default()
    };
    let facts = Facts {
        ip: client(),
        referer: None,
    };
    Presented::read(&parameters, &StreamName::parse(stream).unwrap())
        .unwrap()
        .verify(KeyLookup::Found(key), &facts, UnixSeconds(0), 0)
        .unwrap()
}

fn record(stream: &str) -> Withdrawal {
    Withdrawal::Record {
        scope: scope(stream),
        before: u64::MAX,
    }
}

fn take(leases: &Arc<Leases>, stream: &str) -> Lease {
    let grant = grant(stream, None);
    leases
        .take(leases.mark(), (&grant, None), client(), BESIDE)
        .unwrap()
}

#[test]
fn a_withdrawal_ends_what_matches_once() {
    let leases = Arc::<Leases>::default();
    let [one, two, left] =
        ["ABCDE-one", "ABCDE-two", "ABCDE-one"].map(|stream| take(&leases, stream));
    drop(left);
    assert_eq!(leases.withdraw(&record("ABCDE-one")), 1);
    assert_eq!(one.end(), Some(End::Withdrawn));
    assert_eq!(two.end(), None);
    assert_eq!(leases.withdraw(&record("ABCDE-one")), 0);
    drop((one, two));
    assert_eq!(leases.count(), 0);
    assert_eq!(leases.counters().withdrawn.load(Ordering::Relaxed), 1);
}

#[test]
fn a_withdrawal_reaches_those_whose_verdict_is_on_its_way() {
    let leases = Arc::<Leases>::default();
    let before = leases.mark();
    leases.withdraw(&record("ABCDE-one"));
    let take = |mark, stream| leases.take(mark, (&grant(stream, None), None), client(), BESIDE);
    let refused = take(before, "ABCDE-one").err();
    assert_eq!(refused, Some(Refusal::Ended(End::Withdrawn)));
    assert!(take(before, "ABCDE-two").is_ok());
    assert!(take(leases.mark(), "ABCDE-one").is_ok(), "a newer verdict");
    for _ in 0..REMEMBERED {
        leases.withdraw(&Withdrawal::Sessions(Selection::of(
            Orga::parse("OTHER").unwrap(),
        )));
    }
    assert_eq!(take(before, "ABCDE-two").err(), Some(Refusal::Full));
}

#[test]
fn a_lease_expires_unless_it_is_renewed() {
    let leases = Arc::<Leases>::default();
    let take = |expires| {
        let grant = grant("ABCDE-one", expires);
        leases
            .take(leases.mark(), (&grant, None), client(), BESIDE)
            .unwrap()
    };
    let (kept, renewed, ends) = (take(None), take(Some(100)), take(Some(100)));
    assert_eq!(leases.expire(UnixSeconds(99)), 0);
    let later = grant("ABCDE-one", Some(200));
    renewed.renew(leases.mark(), (&later, None)).unwrap();
    assert_eq!(leases.expire(UnixSeconds(100)), 1);
    assert_eq!(ends.end(), Some(End::Expired));
    let refused = ends.renew(leases.mark(), (&later, None));
    assert_eq!(refused, Err(Refusal::Ended(End::Expired)), "too late");
    assert_eq!(renewed.end(), None);
    assert_eq!(leases.expire(UnixSeconds(u64::MAX)), 1);
    assert_eq!((renewed.end(), kept.end()), (Some(End::Expired), None));
}

#[test]
fn a_renewal_changes_what_a_session_is_ended_by() {
    let leases = Arc::<Leases>::default();
    let lease = take(&leases, "ABCDE-one");
    lease
        .renew(leases.mark(), (&grant("ABCDE-two", None), None))
        .unwrap();
    assert_eq!(leases.withdraw(&record("ABCDE-one")), 0);
    let before = leases.mark();
    leases.withdraw(&record("ABCDE-three"));
    let refused = lease.renew(before, (&grant("ABCDE-three", None), None));
    assert_eq!(refused, Err(Refusal::Ended(End::Withdrawn)));
    assert_eq!(lease.end(), None, "the old grant goes on");
    assert_eq!(leases.withdraw(&record("ABCDE-two")), 1);
}

#[tokio::test]
async fn who_waits_is_told() {
    let leases = Arc::<Leases>::default();
    let lease = take(&leases, "ABCDE-one");
    let (end, count) = tokio::join!(lease.ended(), async {
        leases.withdraw(&record("ABCDE-one"))
    });
    assert_eq!((end, count), (End::Withdrawn, 1));
    assert_eq!(lease.ended().await, End::Withdrawn);
}

#[test]
fn one_lease_is_found_by_what_it_shows_and_ended_by_its_id() {
    let leases = Arc::<Leases>::default();
    let (first, second) = (take(&leases, "A-one"), take(&leases, "A-two"));
    second.is_by(Way::Hls);
    second.is_by(Way::WebSocket);
    let listing = leases.list("", 1);
    assert_eq!((listing.total, listing.matching), (2, 2));
    assert_eq!(listing.shown[0].id, second.id());
    assert_eq!(listing.shown[0].way, Some(Way::Hls));
    let listing = leases.list("-one", 9);
    assert_eq!((listing.matching, listing.shown[0].id), (1, first.id()));
    assert!(leases.end_one(first.id()));
    assert_eq!((first.end(), second.end()), (Some(End::Withdrawn), None));
    assert!(!leases.end_one(first.id()));
    assert_eq!(leases.list("", 9).total, 1);
}
