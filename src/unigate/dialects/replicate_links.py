"""The address of a prediction's stream: whoever has it may read, until it ends, since clients show no key there.

The official client for JavaScript opens `urls.stream` without a header that carries a key, as the vendor's own streams lie at
addresses that nobody can guess. The user's secret for callbacks signs the address; it is never in it.
"""

import hmac
from hashlib import sha256
from urllib.parse import parse_qs, quote, urlencode

from unigate.spec.task import Task, View

PATH = "/replicate/v1/streams"
#: Seconds for which an address works: longer than any prediction runs.
LASTS = 86_400


def stream_address(task: Task, view: View) -> str:
    """Where a prediction's events are read."""
    until = str(view.now // 1000 + LASTS)
    signature = _sign(task.id, task.user_id, until, view.secret(task.user_id))
    query = urlencode({"user": task.user_id, "until": until, "sig": signature})
    return f"{view.base}{PATH}/{quote(task.id)}?{query}"


def user_named(query: str) -> str:
    """The user that an address names; "" where there is none."""
    return parse_qs(query).get("user", [""])[-1]


def is_signed(task_id: str, query: str, secret: str, now: int) -> bool:
    """Whether an address was given out by us, for this prediction and user, and still works; `now` in ms since 1970."""
    asked = parse_qs(query)
    user, until, given = (asked.get(name, [""])[-1] for name in ("user", "until", "sig"))
    if not (until.isascii() and until.isdecimal() and len(until) < 15):
        return False
    right = hmac.compare_digest(_sign(task_id, user, until, secret).encode(), given.encode("utf-8", "replace"))
    return right and int(until) > now // 1000


def _sign(task_id: str, user_id: str, until: str, secret: str) -> str:
    said = f"stream of a prediction\n{task_id}\n{user_id}\n{until}"
    return hmac.digest(secret.encode(), said.encode("utf-8", "replace"), sha256).hex()[:40]
