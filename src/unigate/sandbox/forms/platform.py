"""Habits that all of OpenAI's platform shares: ids, lists in pages, metadata, and states that come with time.

https://platform.openai.com/docs/api-reference
"""

import secrets
import string
from collections.abc import Collection, Sequence
from typing import TypeVar

from unigate.base import clock
from unigate.sandbox.forms import checks, openai_errors, openai_request
from unigate.sandbox.serving.answer import Object, VendorError, Whole
from unigate.sandbox.serving.face import Call
from unigate.sandbox.serving.jobs import Job, Stage, Timeline, speed_of

_LETTERS = string.ascii_letters + string.digits
_MOST_PAIRS = 16
_LONGEST_KEY = 64
_LONGEST_VALUE = 512
T = TypeVar("T")


def hex_id(prefix: str, length: int) -> str:
    """A new id, `prefix` and so many hexadecimal digits."""
    return prefix + secrets.token_hex(length // 2)


def letters_id(prefix: str, length: int) -> str:
    """A new id, `prefix` and so many letters and digits."""
    return prefix + "".join(secrets.choice(_LETTERS) for _ in range(length))


def now() -> int:
    """Seconds since 1970."""
    return clock.now_ms() // 1000


def answer(payload: object) -> Whole:
    """An answer as the vendor writes it."""
    return Whole(payload=payload, indent=2)


def body(call: Call, known: Collection[str]) -> Object:
    """The members of a call's body, of which no others than those may be; none where nothing was sent."""
    value = openai_request.decode(call.body) if call.body.strip() else {}
    refuse_unknown(value, known)
    return value


def refuse_unknown(value: Object, known: Collection[str], at: str = "") -> None:
    """Refuse members that the vendor does not have."""
    for name in value:
        if name not in known:
            param = f"{at}.{name}" if at else name
            raise checks.refuse(f"Unknown parameter: '{param}'.", param, "unknown_parameter")


def lost(message: str, *, param: str | None = None, code: str | None = None) -> VendorError:
    """A 404 for what is not there, or is another's."""
    return VendorError(404, message, param=param, code=code)


def begins(id: str, param: str, prefix: str) -> str:
    """An id, which must begin as the vendor's do."""
    if not id.startswith(prefix):
        told = f"Invalid '{param}': '{id[:100]}'. Expected an ID that begins with '{prefix}'."
        raise checks.refuse(told, param, "invalid_value")
    return id


def longest(value: str, param: str, most: int) -> str:
    """A text of at most so many characters."""
    if len(value) > most:
        told = f"Invalid '{param}': string too long. Expected a string with maximum length {most}, but got a string with length {len(value)} instead."
        raise checks.refuse(told, param, "string_above_max_length")
    return value


def metadata(value: object, param: str = "metadata") -> Object:
    """Up to 16 pairs of texts."""
    if value is None:
        return {}
    pairs = checks.mapping(value, param)
    if len(pairs) > _MOST_PAIRS:
        told = f"Invalid '{param}': too many properties. Expected an object with at most {_MOST_PAIRS} properties, but got an object with {len(pairs)} properties instead."
        raise checks.refuse(told, param, "object_above_max_properties")
    for name in pairs:
        longest(name, param, _LONGEST_KEY)
        longest(checks.text(pairs, name, f"{param}.{name}", required=True), f"{param}.{name}", _LONGEST_VALUE)
    return pairs


def page(
    call: Call, rows: Sequence[Object], *, usual: int = 20, most: int = 100, order: str = "desc", key: str = "id"
) -> Object:
    """The part of a list that a call asks for; `rows` come oldest first."""
    asked = checks.one_of(call.query.get("order", order), "order", ("asc", "desc"))
    limit = _limit(call, usual, most)
    listed = list(rows) if asked == "asc" else list(reversed(rows))
    after, before = call.query.get("after"), call.query.get("before")
    places = {row[key]: place for place, row in enumerate(listed)}
    if after:
        listed = listed[places.get(after, len(listed)) + 1 :]
    elif before:
        listed = listed[: places.get(before, 0)][-limit:]
    shown = listed[:limit]
    return {
        "object": "list",
        "data": shown,
        "first_id": shown[0][key] if shown else None,
        "last_id": shown[-1][key] if shown else None,
        "has_more": len(shown) < len(listed),
    }


def _limit(call: Call, usual: int, most: int) -> int:
    given = call.query.get("limit")
    if given is None:
        return usual
    try:
        value: object = int(given)
    except ValueError:
        value = given
    return checks.integer({"limit": value}, "limit", 1, most) or usual


def begun(call: Call, id: str, timeline: Timeline, failed: Stage) -> Job:
    """What takes its time, from now on: its stage is asked of the job."""
    job = Job(
        id=id,
        credential=call.credential,
        timeline=timeline,
        failed=failed,
        refuse=openai_errors.failure,
        speed=speed_of(call.body, call.world.options.task_speed),
        fault=call.fault,
    )
    job.begin()
    return job


def found(thing: T | None, message: str, *, param: str | None = None, code: str | None = None) -> T:
    """The thing; the vendor's 404 where there is none."""
    if thing is None:
        raise lost(message, param=param, code=code)
    return thing
