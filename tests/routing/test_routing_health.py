"""Parking, probing back, and what is told about it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from routing_cases import CHAT, World, channel

from unigate.base.errors import NoChannel, TooMany, Unreachable, UpstreamRefused
from unigate.routing.choice import Candidate, Rules


def take(world: World, name: str) -> Candidate:
    """A taken candidate of a channel or credential."""
    for _ in range(4):
        for candidate in world.router.routes("m", "default", CHAT):
            if name in (candidate.route.channel.id, candidate.credential.id):
                assert candidate.take()
                return candidate
    raise AssertionError(f"{name} is not offered")


def fail(world: World, name: str, times: int = 1) -> None:
    for _ in range(times):
        world.router.failed(take(world, name), Unreachable())


def work(world: World, name: str) -> None:
    candidate = take(world, name)
    world.router.worked(candidate, 0.1)
    candidate.done()


def test_several_failures_in_a_row_park_a_channel() -> None:
    world = World(channel("a"), channel("b"))
    fail(world, "a", 4)
    work(world, "a")
    fail(world, "a", 4)
    assert set(world.names()) == {"a-0", "b-0"} and not world.events
    fail(world, "a")
    assert world.names() == ["b-0"]
    assert world.told() == ["channel.parked a unreachable"]


def test_a_high_error_rate_parks_a_channel() -> None:
    world = World(channel("a"), channel("b"), rules=Rules(failures=1000, samples=20))
    for _ in range(30):
        if world.events:
            break
        fail(world, "a", 2)
        if "a-0" in world.names():
            work(world, "a")
    assert world.told() == ["channel.parked a unreachable"]


def test_one_call_at_a_time_probes_back_with_growing_pauses() -> None:
    world = World(channel("a", priority=1), channel("b"), rules=Rules(failures=1, first_pause=2.0, longest_pause=7.0))
    fail(world, "a")
    for pause in (2.0, 4.0, 7.0, 7.0):
        world.clock.at += pause - 0.1
        assert world.names() == ["b-0"]
        world.clock.at += 0.2
        probe = take(world, "a")
        assert world.names() == ["b-0"], "others do not follow until it has worked"
        world.router.failed(probe, Unreachable())
    world.clock.at += 7.1
    probe = take(world, "a")
    world.router.worked(probe, 0.1)
    assert world.names() == ["a-0", "b-0"], "back as soon as a good answer began"
    probe.done()
    assert world.told() == ["channel.parked a unreachable", "channel.recovered a failing"]
    fail(world, "a")
    world.clock.at += 2.1
    assert world.names() == ["a-0", "b-0"], "the pauses begin anew"


def test_a_probe_whose_caller_left_frees_the_gate() -> None:
    world = World(channel("a", priority=1), channel("b"), rules=Rules(failures=1))
    fail(world, "a")
    world.clock.at += 1.1
    probe = take(world, "a")
    assert world.names() == ["b-0"]
    probe.done()
    assert world.names() == ["a-0", "b-0"]


def test_a_callers_mistake_proves_that_the_channel_is_well() -> None:
    world = World(channel("a", priority=1), channel("b"), rules=Rules(failures=1))
    fail(world, "a")
    world.clock.at += 1.1
    world.router.failed(take(world, "a"), UpstreamRefused(400))
    assert world.names() == ["a-0", "b-0"] and world.told()[-1] == "channel.recovered a failing"


def test_calls_from_before_prove_nothing() -> None:
    world = World(channel("a", priority=1), channel("b"), rules=Rules(failures=1, first_pause=10.0))
    early, late = take(world, "a"), take(world, "a")
    fail(world, "a")
    world.router.worked(early, 5.0)
    assert world.names() == ["b-0"]
    world.clock.at += 5
    world.router.failed(late, Unreachable())
    world.clock.at += 5.1
    assert world.names() == ["a-0", "b-0"], "its failure did not prolong the parking"


def test_the_only_channel_is_tried_though_it_is_failing() -> None:
    world = World(channel("a"), rules=Rules(failures=1, first_pause=30.0))
    fail(world, "a")
    first, second = take(world, "a"), take(world, "a")
    world.router.failed(first, Unreachable())
    world.router.worked(second, 0.1)
    assert world.told()[-1] == "channel.recovered a failing" and world.router.health["a"].clear


def test_the_only_channel_is_not_tried_while_its_vendor_says_later() -> None:
    world = World(channel("a"))
    world.router.failed(take(world, "a"), UpstreamRefused(503, retry_after=20.0))
    with pytest.raises(NoChannel) as caught:
        world.names()
    assert caught.value.retry_after == 20.0
    world.clock.at += 20.1
    work(world, "a")
    assert world.router.health["a"].clear


def test_a_limited_credential_rests_and_comes_back_without_a_probe() -> None:
    world = World(channel("a", credentials=2))
    world.router.failed(take(world, "a-0"), UpstreamRefused(429, retry_after=5.0))
    assert world.names() == ["a-1"]
    world.clock.at += 5.1
    assert {take(world, "a-0").credential.id, take(world, "a-0").credential.id} == {"a-0"}
    assert world.told() == ["credential.parked a-0 rate_limited"]


def test_a_limit_without_a_word_on_time_grows() -> None:
    world = World(channel("a"))
    for pause in (1.0, 2.0, 4.0):
        together = [take(world, "a") for _ in range(3)]
        for candidate in together:
            world.router.failed(candidate, UpstreamRefused(429))
        with pytest.raises(TooMany) as caught:
            world.names()
        assert caught.value.retry_after == pytest.approx(pause), "one burst counts once"
        world.clock.at += pause + 0.01
    work(world, "a")
    world.router.failed(take(world, "a"), UpstreamRefused(429))
    with pytest.raises(TooMany) as caught:
        world.names()
    assert caught.value.retry_after == pytest.approx(1.0)


def test_a_refused_credential_is_probed_by_one_call_at_a_time() -> None:
    world = World(channel("a", credentials=2))
    world.router.failed(take(world, "a-0"), UpstreamRefused(401))
    assert world.names() == ["a-1"]
    world.clock.at += 60.1
    probe = take(world, "a-0")
    assert [world.names() for _ in range(3)] == [["a-1"]] * 3
    world.router.failed(probe, UpstreamRefused(401))
    world.clock.at += 119
    assert world.names() == ["a-1"]
    world.clock.at += 2
    work(world, "a-0")
    assert sorted(world.names()) == ["a-0", "a-1"]
    assert world.told() == ["credential.parked a-0 credential_refused", "credential.recovered a-0 credential_refused"]


def test_the_operators_word_unparks() -> None:
    world = World(channel("a", credentials=2), channel("b"))
    world.router.failed(take(world, "a-0"), UpstreamRefused(401))
    world.router.failed(take(world, "a-1"), UpstreamRefused(503, retry_after=50.0))
    assert world.names() == ["b-0"]
    assert world.router.unpark("a") and sorted(world.names()) == ["a-0", "a-1", "b-0"]
    world.router.failed(take(world, "a-1"), UpstreamRefused(402))
    assert world.router.unpark("a", "a-1") and sorted(world.names()) == ["a-0", "a-1", "b-0"]
    assert not world.router.unpark("a", "zzz") and not world.router.unpark("zzz")


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["take", "work", "done", "net", "401", "429", "503", "400", "tick", "replace"]),
        st.integers(0, 20),
    ),
    max_size=120,
)


def offered(world: World) -> list[Candidate]:
    """What is offered; a refusal must say when to come back."""
    try:
        return world.router.routes("m", "default", CHAT)
    except (NoChannel, TooMany) as refusal:
        if not refusal.retry_after:
            raise
        return []


def end(world: World, candidate: Candidate, action: str, number: int) -> None:
    """Let a call end in one of the ways."""
    if action == "done":
        candidate.done()
    elif action == "net":
        world.router.failed(candidate, Unreachable())
    else:
        world.router.failed(candidate, UpstreamRefused(int(action), retry_after=float(number)))


@given(actions=ACTIONS)
def test_any_order_of_events_keeps_the_books(actions: list[tuple[str, int]]) -> None:
    """In flight equals what is taken, gates are held by at most one call, and all is well in the end."""
    channels = [channel("a", credentials=2, concurrency=3), channel("b", rpm=30), channel("c", priority=-1)]
    world = World(*channels, rules=Rules(failures=2))
    held: list[Candidate] = []
    for action, number in actions:
        if action == "tick":
            world.clock.at += number * 3
        elif action == "replace":
            world.router.replace(channels)
        elif action == "take":
            candidates = offered(world)
            if candidates and candidates[number % len(candidates)].take():
                held.append(candidates[number % len(candidates)])
        elif held and action == "work":
            world.router.worked(held[number % len(held)], 0.1)
        elif held:
            end(world, held.pop(number % len(held)), action, number)
        for health in world.router.health.values():
            assert health.in_flight == sum(c.health is health for c in held) <= health.most
            assert health.in_flight == sum(owner.in_flight for owner in health.credentials)
            assert health.parked or not health.probing
    for candidate in held:
        candidate.done()
    world.clock.at += 10_000
    seen = {name for _ in range(2) for name in world.names()}
    assert seen == {"a-0", "a-1", "b-0", "c-0"}, "nothing stays parked for ever"
