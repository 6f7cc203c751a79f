"""Letting a damaged journal go on: for an operator who has looked at it. The mover never does this by itself."""

from dataclasses import dataclass
from pathlib import Path

from unigate.base.clock import now_ms
from unigate.billing.format import next_record
from unigate.billing.segments import path_of
from unigate.store import processes
from unigate.store.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """What was left out of a segment: bytes from `start` to `end`."""

    segment: int
    start: int
    end: int


async def skip_damage(database: Database, folder: Path, process_id: str) -> list[Skipped]:
    """Let the mover go on behind the damage in a process's journal; the damaged bytes are set aside in the database.

    What stood there is lost to the books: those calls were free. Raises StoreUnavailable, FileNotFoundError.
    """
    skipped = []
    async with database.reading() as tx:
        known = await processes.positions(tx, process_id)
    for number, (position, state) in sorted(known.items()):
        if state != "stopped":
            continue
        data = path_of(folder, process_id, number).read_bytes()
        end = next_record(data, position + 1)
        end = len(data) if end is None else end
        reason = f"damaged, skipped from {position} to {end}"
        async with database.writing() as tx:
            await processes.put_aside(
                tx, [(f"{process_id}.{number:08d}.{position}", data[position:end], reason)], at=now_ms()
            )
            await processes.set_position(tx, process_id, number, end, reason=reason)
        skipped.append(Skipped(segment=number, start=position, end=end))
    return skipped
