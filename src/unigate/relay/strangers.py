"""Ids of what providers keep for other users, wherever they stand in a body whose unknown members travel as they are.

A dialect whose bodies do names the kinds of such things: GUARDED. Users share an account upstream, so that whoever learnt an
id could otherwise have the account's work on it by a member that we don't know. Must not know which members there are.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from unigate.base.errors import BadRequest
from unigate.relay.services import Services

#: Texts that may be ids as a whole, and ids within longer texts, such as addresses.
_WHOLE = re.compile(r"(?=.*[0-9])[A-Za-z0-9_:-][A-Za-z0-9_.:-]{5,199}")
_WITHIN = re.compile(r"[0-9A-Fa-f]{8}-?(?:[0-9A-Fa-f]{4}-?){3}[0-9A-Fa-f]{12}")
#: Texts of one body that may be ids.
MOST = 500


async def named(svc: Services, kinds: Sequence[str], value: object, user_id: str) -> bool:
    """Whether a body names another user's thing of these kinds. BadRequest where it holds too much that may be an id."""
    if not kinds:
        return False
    ids = set(_ids(value))
    if len(ids) > MOST:
        raise BadRequest(f"At most {MOST} ids can be named.", code="invalid_request")
    return bool(ids) and await svc.bindings.strangers(kinds, sorted(ids), user_id)


def _ids(value: Any) -> Iterator[str]:
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, str):
            if _WHOLE.fullmatch(one):
                yield one
            yield from _WITHIN.findall(one)
        elif isinstance(one, dict):
            left += one.values()
        elif isinstance(one, list | tuple):
            left += one
