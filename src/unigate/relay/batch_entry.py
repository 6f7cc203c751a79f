"""What is written in the transactions that decide that a provider runs a batch, or not after all. Must not decide that."""

from collections.abc import Sequence

from unigate.store import batches as rows
from unigate.store import holds
from unigate.store.batches import BatchRow, Result
from unigate.store.database import Tx


class Entry:
    """Where a batch goes, and the answers to lines that go nowhere, written with its hold. Fulfils `billing.lease.Entry`."""

    parts: Sequence[tuple[str, int]] = ()

    def __init__(self, row: BatchRow, refused: Sequence[Result]) -> None:
        self._row = row
        self._refused = refused

    async def enter(self, tx: Tx) -> bool:
        """See Entry."""
        row = self._row
        await rows.keep(tx, row.id, self._refused)
        told: dict[str, str | int] = {name: getattr(row, name) for name in ("hold_id", "channel_id", "credential_id")}
        return await rows.change(tx, row, {**told, "failed": row.failed}, state="in_progress")

    async def entered(self, tx: Tx) -> bool:
        """See Entry."""
        seen = await rows.find(tx, self._row.id)
        told = self._row.hold_id, self._row.channel_id
        return seen is not None and (seen.hold_id, seen.channel_id) == told

    async def taken(self, tx: Tx) -> bool:
        """See Entry."""
        seen = await rows.find(tx, self._row.id)
        return seen is None or seen.owner != self._row.owner or seen.state != "in_progress"

    def orphaned(self) -> None:
        """The batch's row names the hold: whoever claims the batch goes on with it."""


async def leave(tx: Tx, row: BatchRow, *, now: int) -> bool:
    """A provider that has a batch does not run it: the hold ends, and whoever claims it calls its lines; False where it is another's."""
    if row.hold_id:
        await holds.close(tx, row.hold_id, at=now)
    values: dict[str, str | int] = dict.fromkeys(("hold_id", "channel_id", "credential_id", "upstream_id", "owner"), "")
    return await rows.change(tx, row, {**values, "lease_until": 0, "due_at": now})
