"""Processes and how far their journals have been moved.

A process raises its beat while it is `alive`; `dead` is set by itself when it stops, or by others on proof; it is `gone`
when its journal is in the database and its holds are closed. No wall clock decides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import and_, bindparam, column, func, select, table, update

from unigate.store.database import Tx
from unigate.store.ledger_tables import holds, processes, recalls, segments, set_aside
from unigate.store.metadata import insert

_generations = table("generations", column("name"), column("number"))
_NEW = insert(processes).on_conflict_do_nothing().returning(processes.c.id)
_BEAT = (
    update(processes)
    .where(processes.c.id == bindparam("process"), processes.c.state == "alive")
    .values(beat=processes.c.beat + 1)
)
_ALIVE = select(func.count()).select_from(processes).where(processes.c.state == "alive")
_GENERATIONS = select(_generations.c.name, _generations.c.number)
_TURN_READ = select(processes.c.turn, processes.c.state).where(processes.c.id == bindparam("process")).with_for_update()
_TURN = update(processes).where(processes.c.id == bindparam("process")).values(turn=bindparam("to_turn"))
_DEAD = (
    update(processes)
    .where(
        processes.c.id == bindparam("process"), processes.c.state == "alive", processes.c.beat == bindparam("seen_beat")
    )
    .values(state="dead", ended_at=bindparam("now"))
)
_STOPPED = (
    update(processes)
    .where(processes.c.id == bindparam("process"), processes.c.state == "alive")
    .values(state="dead", ended_at=bindparam("now"))
)
_GONE = update(processes).where(processes.c.id == bindparam("process")).values(state="gone", ended_at=bindparam("now"))
_LIVING = select(processes.c.id, processes.c.node, processes.c.beat).where(processes.c.state == "alive")
_STATE = select(processes.c.state).where(processes.c.id == bindparam("process"))
_SEGMENTS = select(segments.c.number, segments.c.position, segments.c.state).where(
    segments.c.process_id == bindparam("process")
)
_put_segment = insert(segments)
_POSITION = _put_segment.on_conflict_do_update(
    index_elements=["process_id", "number"],
    set_={
        "position": _put_segment.excluded.position,
        "state": _put_segment.excluded.state,
        "reason": _put_segment.excluded.reason,
    },
)
_ASIDE = insert(set_aside).on_conflict_do_nothing().returning(set_aside.c.id)
_RECALLED = (
    select(recalls.c.wallet_id, func.max(recalls.c.number))
    .join(
        holds,
        and_(
            holds.c.wallet_id == recalls.c.wallet_id,
            holds.c.kind == "lease",
            holds.c.final == 0,
            recalls.c.number > holds.c.lowered_at,
            recalls.c.number > holds.c.grown_at,
        ),
    )
    .where(holds.c.process_id == bindparam("process"), holds.c.state == "open")
    .group_by(recalls.c.wallet_id)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """What a beat's answer tells a process."""

    #: Processes that are alive, itself included.
    alive: int
    #: Version of keys, channels, prices, settings.
    generations: Mapping[str, int]
    #: Its journal's segments in the database: number -> (position, state).
    segments: Mapping[int, tuple[int, str]]
    #: Wallets whose recall it has not answered -> the recall's number.
    recalled: Mapping[str, int]


async def register(tx: Tx, process_id: str, node: str, *, at: int) -> None:
    """Enter a new process as alive; its journal must be there and locked."""
    row = {"id": process_id, "node": node, "state": "alive", "beat": 1, "turn": 0, "started_at": at, "ended_at": 0}
    await tx.insert_new(_NEW, [row])


async def beat(tx: Tx, process_id: str) -> Pulse | None:
    """Raise a process's beat; None where it no longer counts as alive."""
    if await tx.run(_BEAT, {"process": process_id}) != 1:
        return None
    alive = await tx.one(_ALIVE)
    generations = await tx.all(_GENERATIONS)
    return Pulse(
        alive=int(alive[0]) if alive is not None else 0,
        generations={str(name): int(number) for name, number in generations},
        segments=await positions(tx, process_id),
        recalled=await recalled(tx, process_id),
    )


async def recalled(tx: Tx, process_id: str) -> dict[str, int]:
    """Wallets on which this process has leases that it has not lowered since their last recall, with its number."""
    return {str(w): int(n) for w, n in await tx.all(_RECALLED, {"process": process_id})}


async def take_turn(tx: Tx, process_id: str, turn: int) -> int | None:
    """Begin the money transaction number `turn` of a process; the number of the last one that was kept.

    None where the process no longer counts as alive, or where a later one was kept: then nothing may be done.
    """
    row = await tx.one(_TURN_READ, {"process": process_id})
    if row is None or row[1] != "alive" or row[0] >= turn:
        return None
    await tx.run(_TURN, {"process": process_id, "to_turn": turn})
    return int(row[0])


async def living(tx: Tx) -> list[tuple[str, str, int]]:
    """Processes that count as alive: id, node, beat."""
    return [(str(id), str(node), int(beat)) for id, node, beat in await tx.all(_LIVING)]


async def state(tx: Tx, process_id: str) -> str | None:
    """A process's state, None where it is not known."""
    row = await tx.one(_STATE, {"process": process_id})
    return None if row is None else str(row[0])


async def declare_dead(tx: Tx, process_id: str, seen_beat: int, *, at: int) -> bool:
    """Set a process dead whose beat still is `seen_beat`; whether it was so."""
    return await tx.run(_DEAD, {"process": process_id, "seen_beat": seen_beat, "now": at}) == 1


async def stop(tx: Tx, process_id: str, *, at: int) -> None:
    """A process takes itself out."""
    await tx.run(_STOPPED, {"process": process_id, "now": at})


async def set_gone(tx: Tx, process_id: str, *, at: int) -> None:
    """Nothing of a process is left to be done."""
    await tx.run(_GONE, {"process": process_id, "now": at})


async def positions(tx: Tx, process_id: str) -> dict[int, tuple[int, str]]:
    """Segments of a process's journal: number -> (bytes that are in the database, state)."""
    return {int(n): (int(position), str(s)) for n, position, s in await tx.all(_SEGMENTS, {"process": process_id})}


async def set_position(
    tx: Tx, process_id: str, number: int, position: int, *, state: str = "open", reason: str = ""
) -> None:
    """Note how far a segment has been moved; in the transaction that moved it."""
    row = {"process_id": process_id, "number": number, "position": position, "state": state, "reason": reason}
    await tx.many(_POSITION, [row])


async def put_aside(tx: Tx, rows: Sequence[tuple[str, bytes, str]], *, at: int) -> None:
    """Keep records that could not be read or inserted: (id, payload, reason)."""
    await tx.insert_new(_ASIDE, [{"id": i, "payload": p, "reason": r.replace("\0", ""), "at": at} for i, p, r in rows])
