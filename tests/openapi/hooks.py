"""What the API's description cannot say to schemathesis."""

import itertools
import time

import schemathesis

DAYS = 364 * 24 * 60 * 60

numbers = itertools.count()


@schemathesis.hook
def before_call(context, case, kwargs):
    """Moves ends in time to where they may be, and makes secrets fresh, where their form is right."""
    body = case.body
    if isinstance(body, dict):
        case.body = {**body, **expires(body.get("expires")), **secret(body.get("secret"))}


def expires(given):
    if isinstance(given, float) and given.is_integer():
        # A whole number to JSON Schema; the API wants digits alone.
        given = int(given)
    number = isinstance(given, int) and not isinstance(given, bool) and 0 < given < 2**63
    text = isinstance(given, str) and given.isascii() and given.isdecimal() and not given.startswith("0")
    if not number and not (text and len(given) <= 19):
        return {}
    end = int(time.time()) + 60 + int(given) % DAYS
    return {"expires": str(end) if text else end}


def secret(given):
    """One that was replaced is not taken again. Its length stays: that is what is tried."""
    if not isinstance(given, str) or not 16 <= len(given) <= 256:
        return {}
    return {"secret": f"{given[:-12]}{next(numbers):012}"}
