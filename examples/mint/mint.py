#!/usr/bin/env python3
"""Mints playback tokens offline, from the secret alone.

Each line of the input is a wish in JSON, each line of the output what goes into the playback URL:

    echo '{"secret": "…", "stream": "ABCDE-demo", "expires": "1900000000", "tag": "a tag"}' | ./mint.py

A wish names `stream` or `orga`, and any of `expires` (Unix seconds), `ip`, `referer` and `tag`.
Nothing is checked here: a name that cannot be one makes a token that opens nothing.
"""

import base64
import hashlib
import hmac
import ipaddress
import json
import sys

EXPIRES, IP, REFERER, TAG, ORGA = 1, 2, 4, 8, 16


def mac(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def sized(text):
    data = text.encode()
    return len(data).to_bytes(2, "big") + data


def mint(wish):
    secret = wish["secret"].encode()
    expires, ip, referer, tag, orga = map(wish.get, ("expires", "ip", "referer", "tag", "orga"))
    options = EXPIRES * bool(expires) | IP * bool(ip) | REFERER * bool(referer) | TAG * bool(tag) | ORGA * bool(orga)
    message = bytes([options]) + sized(orga or wish["stream"])
    if expires:
        message += int(expires).to_bytes(8, "big")
    if ip:
        address = ipaddress.ip_address(ip)
        # IPv4 as IPv4-mapped IPv6.
        message += address.packed if address.version == 6 else bytes(10) + b"\xff\xff" + address.packed
    if referer:
        message += sized(referer)
    if tag:
        message += sized(tag)
    kid = mac(secret, b"h5live kid v1")[:4]
    key = mac(secret, b"h5live playback token v1")
    token = base64.urlsafe_b64encode(b"\x01" + kid + mac(key, message)).rstrip(b"=").decode()
    return {"expires": str(expires or ""), "tag": tag or "", "token": token, "options": options}


for line in sys.stdin:
    print(json.dumps(mint(json.loads(line))), flush=True)
