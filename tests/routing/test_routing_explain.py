"""Why a channel was chosen or not, and health as plain values."""

import json

import pytest
from routing_cases import CHAT, MUTE, World, channel

from unigate.base.errors import Unreachable, UpstreamRefused
from unigate.routing.choice import Candidate, Rules
from unigate.routing.explain import Explained, explain
from unigate.routing.snapshot import merge, restore, snapshot


def by_name(world: World, model: str = "m", group: str = "default") -> dict[str, Explained]:
    return {one.name: one for one in explain(world.router, model, group, CHAT)}


def take(world: World, name: str) -> Candidate:
    candidate = next(c for c in world.router.routes("m", "default", CHAT) if c.route.channel.id == name)
    assert candidate.take()
    return candidate


def test_every_reason() -> None:
    world = World(
        channel("first", weight=3, priority=5),
        channel("second", weight=1, priority=5),
        channel("lower", priority=1),
        channel("vip", groups=frozenset({"vip"})),
        channel("other", models={"x": "x"}),
        channel("mute", provider=MUTE),
        channel("off", enabled=False),
        channel("bare", credentials=0),
        channel("full", concurrency=1, priority=9),
        channel("rated", rpm=1, priority=8),
        channel("late", priority=7),
        channel("refused", priority=6),
        channel("failing", priority=10),
        channel("back", priority=11),
        rules=Rules(failures=1, first_pause=10.0),
    )
    world.router.failed(take(world, "back"), Unreachable())
    world.clock.at += 10.1
    world.router.failed(take(world, "failing"), Unreachable())
    take(world, "full")
    take(world, "rated").done()
    world.router.failed(take(world, "late"), UpstreamRefused(503, retry_after=30.0))
    world.router.failed(take(world, "refused"), UpstreamRefused(401))
    found = by_name(world)
    assert {name: one.reason for name, one in found.items()} == {
        "back": "probing_back",
        "first": "priority_lower",
        "second": "priority_lower",
        "lower": "priority_lower",
        "vip": "not_in_group",
        "other": "model_not_served",
        "mute": "dialect_not_spoken",
        "off": "disabled",
        "bare": "no_credential",
        "full": "full",
        "rated": "rate_full",
        "late": "parked",
        "refused": "credentials_parked",
        "failing": "parked",
    }
    assert found["late"].waits == pytest.approx(30.0) and "overloaded" in found["late"].text
    assert found["refused"].credentials[0].reason == "credential_refused"
    assert found["full"].in_flight == 1
    assert all(one.text and "{" not in one.text for one in found.values())
    offered = [one.name for one in explain(world.router, "m", "default", CHAT) if one.offered]
    routes = [candidate.route.channel.id for candidate in world.router.routes("m", "default", CHAT)]
    assert (offered[0], offered[-1]) == (routes[0], routes[-1]) == ("back", "lower")
    assert set(offered) == set(routes) == {"back", "first", "second", "lower"}


def test_shares_are_those_of_the_choice() -> None:
    world = World(channel("a", weight=3), channel("b", weight=1), channel("c", priority=-1))
    found = by_name(world)
    assert (found["a"].reason, found["a"].share, found["b"].share, found["c"].share) == ("chosen", 0.75, 0.25, 0.0)
    assert list(found) == ["a", "b", "c"], "in the order in which they would be tried"
    assert found["a"].upstream_model == "m" and found["a"].text == "tried first with a probability of 75%"


def test_the_last_resort_is_named_and_leaves_out_what_a_vendor_parked() -> None:
    world = World(channel("a"), channel("b"), rules=Rules(failures=1, first_pause=30.0))
    world.router.failed(take(world, "a"), Unreachable())
    world.router.failed(take(world, "b"), UpstreamRefused(503, retry_after=5.0))
    assert {name: one.reason for name, one in by_name(world).items()} == {"a": "last_resort", "b": "parked"}
    assert world.names() == ["a-0"]


def test_explaining_agrees_with_choosing_in_the_last_resort() -> None:
    world = World(channel("a"), rules=Rules(failures=1, first_pause=30.0))
    world.router.failed(take(world, "a"), Unreachable())
    assert by_name(world)["a"].reason == "last_resort"
    assert world.names() == ["a-0"]
    probe = take(world, "a")
    world.clock.at += 31
    assert by_name(world)["a"].reason == "last_resort" and probe.taken


def test_a_snapshot_carries_health_to_another_process() -> None:
    rules = Rules(failures=1, first_pause=30.0)
    channels = [channel("a", credentials=2, concurrency=5), channel("b", rpm=3), channel("c"), channel("d")]
    world = World(*channels, rules=rules)
    held = take(world, "a")
    refused = next(
        c for c in world.router.routes("m", "default", CHAT) if c.route.channel.id == "a" and c.owner is not held.owner
    )
    assert refused.take()
    world.router.failed(refused, UpstreamRefused(401))
    take(world, "b").done()
    world.router.failed(take(world, "c"), UpstreamRefused(503, retry_after=40.0))
    plain = json.loads(json.dumps(snapshot(world.router, 1_700_000_000_000)))

    other = World(*channels[:3], channel("new"), rules=rules)
    other.clock.at = 5.0
    restore(other.router, plain, 1_700_000_010_000, in_flight=True)
    found = by_name(other)
    assert found["a"].in_flight == 1 and found["c"].waits == pytest.approx(30.0)
    assert {c.reason for c in found["a"].credentials} == {"", "credential_refused"}
    minute = other.router.health["b"].minute
    assert minute is not None and minute.total == 1
    assert found["new"].reason == "chosen"
    assert "secret" not in json.dumps(plain)


def test_what_is_no_snapshot_is_refused() -> None:
    world = World(channel("a"))
    for plain in ({}, {"at": "x"}, {"at": 1, "channels": {"a": {"good": "many"}}}):
        with pytest.raises(ValueError, match="not a snapshot"):
            restore(world.router, plain, 0)
        with pytest.raises(ValueError, match="not a snapshot"):
            merge([plain])


def test_snapshots_of_workers_are_merged() -> None:
    one, two = (World(channel("a", rpm=9), channel("b"), rules=Rules(failures=1)) for _ in range(2))
    take(one, "a")
    held = take(two, "a")
    two.router.worked(held, 2.0)
    two.router.failed(take(two, "b"), Unreachable())
    merged = merge([snapshot(one.router, 50_000), snapshot(two.router, 50_000)])
    shown = World(channel("a", rpm=9), channel("b"), rules=Rules(failures=1))
    restore(shown.router, merged, 50_000, in_flight=True)
    found = by_name(shown)
    assert found["a"].in_flight == 2 and found["a"].seconds == pytest.approx(0.2)
    assert found["b"].reason == "parked" and found["b"].waits == pytest.approx(1.0)
    minute = shown.router.health["a"].minute
    assert minute is not None and minute.total == 2
