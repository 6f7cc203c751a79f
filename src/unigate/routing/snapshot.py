"""Health as plain structures, so that workers can publish it and a shell can `explain` with it.

Times are wall-clock milliseconds here, since monotonic clocks of two processes need not agree.
"""

from collections.abc import Iterable, Mapping

import msgspec

from unigate.routing.choice import Router
from unigate.routing.health import ChannelHealth, Parking


class ParkedState(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A channel's or credential's parking; `until` in ms since 1970, 0: not parked."""

    until: int = 0
    reason: str = ""
    gated: bool = False
    level: int = 0
    in_flight: int = 0


class ChannelState(ParkedState, kw_only=True, omit_defaults=True):
    """One channel with its credentials by id."""

    name: str = ""
    good: float = 0.0
    bad: float = 0.0
    failures: int = 0
    seconds: float = 0.0
    last_failure: str = ""
    #: Calls of the last minute, where the channel has a limit of them.
    minute: int = 0
    credentials: dict[str, ParkedState] = {}


class Snapshot(msgspec.Struct, kw_only=True):
    """All channels by id, at `at` ms since 1970."""

    at: int
    channels: dict[str, ChannelState] = {}


def snapshot(router: Router, now_ms: int) -> dict[str, object]:
    """The router's health as dicts, lists, strings and numbers (JSON)."""
    now = router.now()
    made = Snapshot(at=now_ms)
    for channel_id, health in router.health.items():
        health.decay(now)
        minute = health.minute
        if minute is not None:
            minute.full(now)
        state = ChannelState(
            name=health.channel.name,
            good=health.good,
            bad=health.bad,
            failures=health.failures,
            seconds=health.seconds,
            last_failure=health.last_failure,
            minute=minute.total if minute is not None else 0,
        )
        _save(state, health, health.in_flight, now, now_ms)
        for owner in health.credentials:
            kept = state.credentials[owner.credential.id] = ParkedState()
            _save(kept, owner, owner.in_flight, now, now_ms)
        made.channels[channel_id] = state
    plain = msgspec.to_builtins(made)
    assert isinstance(plain, dict)
    return plain


def restore(router: Router, plain: Mapping[str, object], now_ms: int, *, in_flight: bool = False) -> None:
    """Take over parking and error rates of channels that are known here; ValueError for what is no snapshot.

    `in_flight`: take over calls in flight too; for a router that only explains and never takes a call.
    """
    read = _read(plain)
    now = router.now()
    for channel_id, state in read.channels.items():
        health = router.health.get(channel_id)
        if health is not None:
            _restore(health, state, now, now_ms, in_flight=in_flight)


def merge(snapshots: Iterable[Mapping[str, object]]) -> dict[str, object]:
    """One snapshot for all workers: calls are added up, the longest parking of each thing stands; ValueError."""
    merged = Snapshot(at=0)
    for plain in snapshots:
        read = _read(plain)
        merged.at = max(merged.at, read.at)
        for channel_id, state in read.channels.items():
            known = merged.channels.get(channel_id)
            if known is None:
                merged.channels[channel_id] = state
                continue
            calls, more = known.good + known.bad, state.good + state.bad
            if calls + more > 0:
                known.seconds = (known.seconds * calls + state.seconds * more) / (calls + more)
            known.good += state.good
            known.bad += state.bad
            known.minute += state.minute
            known.failures = max(known.failures, state.failures)
            known.last_failure = known.last_failure or state.last_failure
            _merge(known, state)
            for owner_id, owner in state.credentials.items():
                _merge(known.credentials.setdefault(owner_id, ParkedState()), owner)
    plain_merged = msgspec.to_builtins(merged)
    assert isinstance(plain_merged, dict)
    return plain_merged


def _read(plain: Mapping[str, object]) -> Snapshot:
    try:
        return msgspec.convert(plain, Snapshot)
    except msgspec.ValidationError as error:
        raise ValueError(f"not a snapshot of routing: {error}") from None


def _save(state: ParkedState, parking: Parking, in_flight: int, now: float, now_ms: int) -> None:
    state.in_flight = in_flight
    state.level = parking.level
    if parking.parked:
        state.until = now_ms + int((parking.until - now) * 1000)
        state.reason = parking.reason
        state.gated = parking.gated


def _restore(health: ChannelHealth, state: ChannelState, now: float, now_ms: int, *, in_flight: bool) -> None:
    health.good, health.bad = state.good, state.bad
    health.failures, health.seconds, health.last_failure = state.failures, state.seconds, state.last_failure
    _load(health, state, now, now_ms)
    for owner in health.credentials:
        kept = state.credentials.get(owner.credential.id)
        if kept is not None:
            _load(owner, kept, now, now_ms)
            if in_flight:
                owner.in_flight = kept.in_flight
    if in_flight:
        health.in_flight = state.in_flight
        if health.minute is not None:
            for _ in range(min(state.minute, health.minute.most)):
                health.minute.add(now)
    health.look()


def _load(parking: Parking, state: ParkedState, now: float, now_ms: int) -> None:
    parking.level = state.level
    if state.until:
        parking.parked = True
        parking.until = now + (state.until - now_ms) / 1000
        parking.reason = state.reason
        parking.gated = state.gated


def _merge(known: ParkedState, other: ParkedState) -> None:
    known.in_flight += other.in_flight
    if other.until > known.until:
        known.until, known.reason, known.gated, known.level = other.until, other.reason, other.gated, other.level
