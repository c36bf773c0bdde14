#!/usr/bin/env python3
"""Writes playback_tokens.json: sample tokens for every option set, and samples that must be refused.

    python3 tests/vectors/generate.py            write the file beside this script
    python3 tests/vectors/generate.py --check    write nothing; exit 1 where the file differs

An implementation of its own, from the token's description alone and with nothing but Python's
standard library, so that an error in the Rust code cannot hide in its own tests, and so that
whoever mints in another language has a page to read. The output depends on no clock and on no
randomness.

    token    base64url without padding of: version (1 byte, 1), kid (4 bytes), mac (32 bytes)
    mac      HMAC-SHA256(key, message)
    key      HMAC-SHA256(secret, "h5live playback token v1")
    kid      the first 4 bytes of HMAC-SHA256(secret, "h5live kid v1")
    message  options, 1 byte: 1 expires, 2 ip, 4 referer, 8 tag, 16 organisation
             length (2 bytes) and text of the stream name, or of the organisation hash with bit 16
             expires, 8 bytes              with bit 1
             ip, 16 bytes, IPv4 as mapped  with bit 2
             length (2 bytes) and referer  with bit 4
             length (2 bytes) and tag      with bit 8
    Numbers are big-endian, texts are UTF-8.
"""

import base64
import hashlib
import hmac
import ipaddress
import json
import pathlib
import sys

FILE = pathlib.Path(__file__).with_name("playback_tokens.json")

EXPIRES, IP, REFERER, TAG, ORGA = 1, 2, 4, 8, 16
NOW = 1_800_000_000

SECRET = "the first secret of the samples"
LONG_SECRET = "a secret that is longer than one block of SHA-256, ".ljust(256, "*")
OTHER_SECRET = "the other secret of the samples"

HEAD = [
    "Made by generate.py, which describes the token. Do not edit.",
    "secret: UTF-8 text of the secret that is registered for the stream and for its organisation.",
    "claims: what is minted, null where not bound. Only in samples that are granted.",
    "message: the bytes that the mac covers, in hexadecimal. Only in samples that are granted.",
    "request: the stream that is asked for and the four parameters as sent, null where absent.",
    "facts: the client's address and the value of its Origin or Referer header, null where absent.",
    "now, skew: the verifier's clock in Unix seconds and its allowance in seconds.",
    "expect: 'granted', or the code of the denial.",
]


def mac(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def sized(text):
    data = text.encode("utf-8")
    return len(data).to_bytes(2, "big") + data


def bits(claims):
    return (
        EXPIRES * (claims["expires"] is not None)
        + IP * (claims["ip"] is not None)
        + REFERER * (claims["referer"] is not None)
        + TAG * (claims["tag"] is not None)
        + ORGA * (claims["orga"] is not None)
    )


def message(claims):
    out = bytes([bits(claims)])
    out += sized(claims["orga"] if claims["orga"] is not None else claims["stream"])
    if claims["expires"] is not None:
        out += claims["expires"].to_bytes(8, "big")
    if claims["ip"] is not None:
        ip = ipaddress.ip_address(claims["ip"])
        out += bytes(10) + b"\xff\xff" + ip.packed if ip.version == 4 else ip.packed
    if claims["referer"] is not None:
        out += sized(claims["referer"])
    if claims["tag"] is not None:
        out += sized(claims["tag"])
    return out


def encode(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def token(secret, claims, version=1):
    secret = secret.encode("utf-8")
    kid = mac(secret, b"h5live kid v1")[:4]
    key = mac(secret, b"h5live playback token v1")
    return encode(bytes([version]) + kid + mac(key, message(claims)))


# Three sets of facts, so that each option set is tried with other scopes, addresses and texts.
# `origin` is a header whose host normalises to `referer`.
WORLDS = [
    {
        "name": "plain",
        "secret": SECRET,
        "stream": "ABCDE-demo",
        "orga": "ABCDE",
        "expires": NOW + 3600,
        "ip": "192.0.2.7",
        "peer": "192.0.2.7",
        "referer": "demo.example.de",
        "origin": "https://demo.example.de",
        "tag": "a tag",
    },
    {
        "name": "mapped",
        "secret": LONG_SECRET,
        "stream": "0a-live_1-Camera_2-x",
        "orga": "0a",
        "expires": NOW + 1,
        "ip": "203.0.113.255",
        "peer": "::ffff:203.0.113.255",
        "referer": "xn--bcher-kva.example",
        "origin": "HTTPS://XN--Bcher-KVA.Example.:8443/page.html?a=b",
        "tag": "Grüße, 東京 🎬 & more=+%20/?",
    },
    {
        "name": "longest",
        "secret": SECRET[:16],
        "stream": "Z" * 32 + ("-" + "y" * 64) * 3 + "-" + "_" * 27,
        "orga": "Z" * 32,
        "expires": 2**64 - 1,
        "ip": "2001:db8:0:1::ffff:7",
        "peer": "2001:0db8:0000:0001:0000:0000:ffff:0007",
        "referer": ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61]),
        "origin": "http://" + ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61]),
        "tag": "é" * 127 + "!",
    },
]


def claims_of(world, options):
    return {
        "stream": None if options & ORGA else world["stream"],
        "orga": world["orga"] if options & ORGA else None,
        "expires": world["expires"] if options & EXPIRES else None,
        "ip": world["ip"] if options & IP else None,
        "referer": world["referer"] if options & REFERER else None,
        "tag": world["tag"] if options & TAG else None,
    }


def granted(world, options):
    claims = claims_of(world, options)
    assert bits(claims) == options
    return {
        "name": f"{options:02} {world['name']}",
        "secret": world["secret"],
        "claims": claims,
        "message": message(claims).hex(),
        "request": {
            "stream": world["stream"],
            "token": token(world["secret"], claims),
            "expires": str(claims["expires"]) if options & EXPIRES else "",
            "options": str(options),
            "tag": claims["tag"] if options & TAG else "",
        },
        "facts": {"ip": world["peer"], "origin": world["origin"]},
        "now": NOW,
        "skew": 0,
        "expect": "granted",
    }


def refused(name, options, expect, world=WORLDS[0], request=None, facts=None, **rest):
    """A granted sample with something changed."""
    sample = granted(world, options)
    del sample["claims"], sample["message"]
    sample["name"] = f"{options:02} {name}"
    sample["request"].update(request or {})
    sample["facts"].update(facts or {})
    sample.update(rest)
    sample["expect"] = expect
    return sample


def altered_facts(options):
    """Each bound fact, changed alone."""
    yield refused("another stream" if not options & ORGA else "another organisation", options, "mismatch",
                  request={"stream": "ABCDF-demo"})
    if not options & ORGA:
        yield refused("another stream of the organisation", options, "mismatch",
                      request={"stream": "ABCDE-demo2"})
    if options & EXPIRES:
        yield refused("a later expiry", options, "mismatch", request={"expires": str(NOW + 3601)})
        yield refused("no expiry", options, "expires_missing", request={"expires": ""})
        yield refused("expired", options, "expired", now=NOW + 3600)
    else:
        yield refused("an expiry beside", options, "expires_not_bound", request={"expires": str(NOW + 3600)})
    if options & IP:
        yield refused("another address", options, "mismatch", facts={"ip": "192.0.2.8"})
    if options & REFERER:
        yield refused("an evil suffix", options, "mismatch", facts={"origin": "https://demo.example.de.evil.com"})
        yield refused("no page", options, "referer_missing", facts={"origin": None})
    if options & TAG:
        yield refused("another tag", options, "mismatch", request={"tag": "a tah"})
        yield refused("no tag", options, "tag_missing", request={"tag": None})
    else:
        yield refused("a tag beside", options, "tag_not_bound", request={"tag": "a tag"})
    yield refused("another secret", options, "key_unknown", secret=OTHER_SECRET)


def altered_options(options):
    """Each bit flipped, with parameters that fit the flipped set, so that only the mac tells."""
    for bit in (EXPIRES, IP, REFERER, TAG, ORGA):
        flipped = options ^ bit
        request = granted(WORLDS[0], flipped)["request"]
        del request["token"]
        yield refused(f"read as {flipped:02}", options, "mismatch", request=request)


def spelling():
    """What is wrong with one parameter whatever the token is bound to."""
    good = granted(WORLDS[0], 9)["request"]["token"]
    raw = base64.urlsafe_b64decode(good + "==")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    stray = alphabet[alphabet.index(good[-1]) + 1]
    tokens = [
        ("no token", None, "token_missing"),
        ("an empty token", "", "token_missing"),
        ("a cut token", good[:-1], "token_malformed"),
        ("a longer token", good + "A", "token_malformed"),
        ("a padded token", good + "==", "token_malformed"),
        ("stray bits at the token's end", good[:-1] + stray, "token_malformed"),
        ("the standard alphabet", good[:48] + "+/", "token_malformed"),
        ("a space in the token", good[:20] + " " + good[21:], "token_malformed"),
        ("version 0", token(SECRET, claims_of(WORLDS[0], 9), version=0), "token_version_unknown"),
        ("version 2", token(SECRET, claims_of(WORLDS[0], 9), version=2), "token_version_unknown"),
        ("another kid", encode(raw[:1] + bytes([raw[1] ^ 1]) + raw[2:]), "key_unknown"),
        ("another first bit of the mac", encode(raw[:5] + bytes([raw[5] ^ 128]) + raw[6:]), "mismatch"),
        ("another last bit of the mac", encode(raw[:-1] + bytes([raw[-1] ^ 1])), "mismatch"),
        ("a mac of zeros", encode(raw[:5] + bytes(32)), "mismatch"),
    ]
    for name, text, expect in tokens:
        yield refused(name, 9, expect, request={"token": text})
    for text in ("+9", "09", "0x9", " 9", "9 ", "9.0", "9e0", "-9", "nine", "\u0669", "99999999999999999999"):
        yield refused(f"options {text!r}", 9, "options_malformed", request={"options": text})
    for text in ("32", "41", "64", "128", "255", "256", "265"):
        yield refused(f"options {text!r}", 9, "options_unknown", request={"options": text})
    yield refused("no options", 9, "options_missing", request={"options": None})
    yield refused("empty options", 9, "options_missing", request={"options": ""})
    for text in ("abc", "1e9", "-1", "01", "+1", "true", "null", " 1800003600", "1800003600.0",
                 "18446744073709551616"):
        yield refused(f"expires {text!r}", 9, "expires_malformed", request={"expires": text})
    yield refused("expires in milliseconds", 9, "mismatch", request={"expires": str((NOW + 3600) * 1000)})
    yield refused("a tag of 256 bytes", 9, "tag_malformed", request={"tag": "x" * 256})
    yield refused("a control character in the tag", 9, "tag_malformed", request={"tag": "a tag\n"})
    yield refused("a tag in another normal form", 8, "mismatch", world=WORLDS[1],
                  request={"tag": "Gru\u0308ße, 東京 🎬 & more=+%20/?"})


def skews():
    """The bounds of the time allowed, from both sides."""
    for now, skew, expect in [
        (NOW + 3599, 0, "granted"),
        (NOW + 3600, 0, "expired"),
        (NOW + 3604, 5, "granted"),
        (NOW + 3605, 5, "expired"),
        (NOW + 10**9, 2**64 - 1, "granted"),
    ]:
        sample = refused(f"at {now} with skew {skew}", 1, expect, now=now, skew=skew)
        yield sample


def hosts():
    for origin, expect in [
        ("http://demo.example.de:8080/a/b", "granted"),
        ("https://DEMO.example.DE./", "granted"),
        ("https://demo.example.de@evil.com", "mismatch"),
        ("http://evil.com/?demo.example.de", "mismatch"),
        ("https://www.demo.example.de", "mismatch"),
        ("https://example.de", "mismatch"),
        ("null", "referer_missing"),
        ("", "referer_missing"),
        ("demo.example.de", "referer_missing"),
        ("file://demo.example.de/", "referer_missing"),
    ]:
        yield refused(f"page {origin!r}", 4, expect, facts={"origin": origin})


def addresses():
    for ip, expect in [
        ("::ffff:192.0.2.7", "granted"),
        ("::192.0.2.7", "mismatch"),
        ("::ffff:192.0.2.6", "mismatch"),
        ("2001:db8::1", "mismatch"),
    ]:
        yield refused(f"address {ip}", 2, expect, facts={"ip": ip})


def render():
    samples = [granted(world, options) for options in range(32) for world in WORLDS]
    for options in range(32):
        samples += altered_facts(options)
        samples += altered_options(options)
    samples += [*spelling(), *skews(), *hosts(), *addresses()]
    names = [sample["name"] for sample in samples]
    assert len(set(names)) == len(names), "two samples share a name"
    lines = ",\n".join("    " + json.dumps(sample, ensure_ascii=False) for sample in samples)
    head = json.dumps(HEAD, ensure_ascii=False, indent=4).replace("\n]", "\n  ]")
    return f'{{\n  "format": {head},\n  "samples": [\n{lines}\n  ]\n}}\n'


def main():
    text = render().encode("utf-8")
    if sys.argv[1:] == ["--check"]:
        if not FILE.exists() or FILE.read_bytes() != text:
            sys.exit(f"{FILE.name} is not what generate.py writes: run generate.py and look at the difference")
    elif not sys.argv[1:]:
        FILE.write_bytes(text)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
