"""How often somebody may have the gateway send something to an address of theirs: so many times a minute.

What was done stands in the audit log, which all workers, nodes and shells share; so no count is kept beside it.
"""

from unigate.base.clock import now_ms
from unigate.base.errors import TooMany
from unigate.manage.desk import Actor
from unigate.store import audit
from unigate.store.database import Tx
from unigate.store.pages import Page

_MINUTE_MS = 60_000


async def pace(tx: Tx, actor: Actor, action: str, kind: str, most: int) -> None:
    """TooMany where an actor did this `most` times within the last minute; to be noted in the same transaction."""
    now = now_ms()
    found = await audit.page(tx, Page(limit=most), actor_id=actor.id, action=action, kind=kind, since=now - _MINUTE_MS)
    if len(found.rows) >= most:
        wait = max(found.rows[-1].at + _MINUTE_MS - now, 1)
        raise TooMany(f"This can be done {most} times a minute. Please try again later.", retry_after=wait / 1000)
