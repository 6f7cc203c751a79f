"""The choice: priorities, weights, rotation, limits, names of models; what is never offered."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from routing_cases import CHAT, MUTE, World, channel

from unigate.base.errors import NoChannel, NotFound, TooMany, Unreachable, UpstreamRefused
from unigate.routing.choice import Router, Rules
from unigate.routing.plans import upstream_name
from unigate.spec.channel import Channel


@pytest.mark.parametrize(
    ("models", "model", "name"),
    [
        ({"a": "x"}, "a", "x"),
        ({"a": ""}, "a", "a"),
        ({"a": "x"}, "b", None),
        ({"*": "*"}, "anything", "anything"),
        ({"*": ""}, "anything", "anything"),
        ({"gpt-*": "gpt-*", "*": "*"}, "gpt-4o", "gpt-4o"),
        ({"fast-*": "gpt-*"}, "fast-4o", "gpt-4o"),
        ({"gpt-*": "one"}, "gpt-4o", "one"),
        ({"gpt-*": "short", "gpt-4*": "long", "*": "*"}, "gpt-4o", "long"),
        ({"*": "*", "gpt-4o": "exact", "gpt-4*": "long"}, "gpt-4o", "exact"),
        ({"gpt-4*": "x*"}, "gpt-4", "x"),
        ({"gpt-*": "y"}, "gpt", None),
        ({"*": "*"}, "*", None),
        ({"gpt-*": "y"}, "gpt-*", None),
    ],
)
def test_names(models: dict[str, str], model: str, name: str | None) -> None:
    assert upstream_name(models, model) == name


def test_the_routes_model_is_the_upstreams() -> None:
    world = World(channel("a", models={"fast": "gpt-4o-mini"}))
    [candidate] = world.router.routes("fast", "default", CHAT)
    assert (candidate.route.model, candidate.route.channel.id) == ("gpt-4o-mini", "a")


def test_unknown_model_is_not_found_and_a_disabled_channel_is_none_available() -> None:
    world = World(channel("a", enabled=False), channel("b", models={"n": "n"}, groups=frozenset({"vip"})))
    for model, group in (("zzz", "default"), ("n", "default"), ("m", "vip")):
        with pytest.raises(NotFound) as caught:
            world.router.routes(model, group, CHAT)
        assert caught.value.code == "model_not_found" and caught.value.param == "model"
    with pytest.raises(NoChannel):
        world.router.routes("m", "default", CHAT)
    assert world.names("n", "vip") == ["b-0"]


def test_a_provider_that_does_not_speak_the_dialect_is_not_offered() -> None:
    world = World(channel("a", provider=MUTE), channel("b"))
    assert world.names() == ["b-0"]
    with pytest.raises(NotFound):
        World(channel("a", provider=MUTE)).names()


def test_a_channel_without_credentials_is_never_offered() -> None:
    with pytest.raises(NoChannel):
        World(channel("a", credentials=0)).names()


def test_names_from_callers_do_not_fill_the_memory() -> None:
    world = World(channel("a", models={"*": "*"}))
    for number in range(10_000):
        assert world.router.routes(f"model-{number}", "default", CHAT)
    assert len(world.router._plans) <= 4096


def test_models_of_a_group() -> None:
    world = World(
        channel("a", models={"m": "m", "gpt-*": "gpt-*"}),
        channel("b", models={"n": "n"}, groups=frozenset({"vip"})),
        channel("c", models={"off": "off"}, enabled=False),
    )
    assert world.router.models("default", ["gpt-4o", "claude"]) == {"m", "gpt-4o"}
    assert world.router.models("vip", ["gpt-4o"]) == {"n"}
    assert world.router.models("nobody") == set()


@given(priorities=st.lists(st.integers(-3, 3), min_size=1, max_size=8), seed=st.integers(0, 2**32))
def test_higher_priorities_come_first(priorities: list[int], seed: int) -> None:
    channels = [channel(f"c{n}", priority=priority) for n, priority in enumerate(priorities)]
    router = Router(channels, clock=lambda: 5.0, draw=random.Random(seed).random, rules=Rules(candidates=100))
    offered = [candidate.route.channel.priority for candidate in router.routes("m", "default", CHAT)]
    assert offered == sorted(priorities, reverse=True)


def shares(channels: list[Channel], calls: int = 6000) -> dict[str, float]:
    router = Router(channels, draw=random.Random(7).random, clock=lambda: 5.0)
    first = Counter(router.routes("m", "default", CHAT)[0].route.channel.id for _ in range(calls))
    return {name: count / calls for name, count in first.items()}


@given(weights=st.lists(st.integers(1, 9), min_size=2, max_size=4))
def test_weights_are_probabilities_to_come_first(weights: list[int]) -> None:
    found = shares([channel(f"c{n}", weight=weight) for n, weight in enumerate(weights)], 3000)
    for n, weight in enumerate(weights):
        # Five standard deviations at most at 3000 draws.
        assert abs(found.get(f"c{n}", 0.0) - weight / sum(weights)) < 0.05


def test_weight_zero_comes_last_but_is_offered() -> None:
    router = Router([channel("a", weight=0), channel("b")], clock=lambda: 5.0)
    for _ in range(100):
        assert [c.route.channel.id for c in router.routes("m", "default", CHAT)] == ["b", "a"]


def test_a_measured_error_rate_lowers_the_share() -> None:
    world = World(channel("a"), channel("b"), rules=Rules(failures=1000, samples=1e9))
    by_name = {c.route.channel.id: c for c in world.router.routes("m", "default", CHAT)}
    for n in range(40):
        for name in ("a", "b"):
            candidate = next(c for c in world.router.routes("m", "default", CHAT) if c.route.channel.id == name)
            assert candidate.take()
            if name == "a" and n % 2:
                world.router.failed(candidate, Unreachable())
            else:
                world.router.worked(candidate, 0.1)
                candidate.done()
    first = Counter(world.router.routes("m", "default", CHAT)[0].route.channel.id for _ in range(4000))
    assert set(by_name) == {"a", "b"} and 0.1 < first["a"] / 4000 < 0.3, "about (1 - 0.48)**2 = 0.27 against 1"
    world.clock.at += 3600
    first = Counter(world.router.routes("m", "default", CHAT)[0].route.channel.id for _ in range(4000))
    assert 0.45 < first["a"] / 4000 < 0.55, "what is long past weighs nothing"


def test_credentials_take_turns() -> None:
    world = World(channel("a", credentials=3))
    firsts = [world.names()[0] for _ in range(6)]
    assert firsts[:3] == firsts[3:] and set(firsts) == {"a-0", "a-1", "a-2"}
    assert sorted(world.names()) == ["a-0", "a-1", "a-2"]


def test_a_channel_with_many_credentials_does_not_hide_the_next_channel() -> None:
    world = World(channel("a", credentials=20, priority=1), channel("b"))
    names = world.names()
    assert names[2] == "b-0" and len(names) == Rules().candidates and len(set(names)) == len(names)


def test_concurrency_is_respected_and_given_back_once() -> None:
    world = World(channel("a", concurrency=2), channel("b", priority=-1))
    held = []
    for _ in range(2):
        candidate = world.router.routes("m", "default", CHAT)[0]
        assert candidate.route.channel.id == "a" and candidate.take() and not candidate.take()
        held.append(candidate)
    assert world.names() == ["b-0"]
    held[0].done()
    held[0].done()
    assert world.router.health["a"].in_flight == 1
    assert world.names() == ["a-0", "b-0"]
    assert not held[0].take(), "a candidate is for one try"


def test_a_place_that_went_in_the_meantime_is_not_taken() -> None:
    world = World(channel("a", concurrency=1))
    [one], [other] = (world.router.routes("m", "default", CHAT) for _ in range(2))
    assert one.take() and not other.take()
    with pytest.raises(NoChannel) as caught:
        world.names()
    assert caught.value.retry_after == 1.0


@given(
    rpm=st.integers(1, 12),
    steps=st.lists(st.floats(0, 20, allow_nan=False), min_size=1, max_size=80),
)
def test_never_more_calls_than_rpm_in_any_minute(rpm: int, steps: list[float]) -> None:
    world = World(channel("a", rpm=rpm))
    taken: list[float] = []
    for step in steps:
        world.clock.at += step
        minute = world.router.health["a"].minute
        assert minute is not None
        if minute.full(world.clock.at):
            with pytest.raises(NoChannel) as caught:
                world.names()
            assert caught.value.retry_after is not None and 0 < caught.value.retry_after <= 61
            world.clock.at += caught.value.retry_after
        [candidate] = world.router.routes("m", "default", CHAT)
        assert candidate.take()
        candidate.done()
        taken.append(world.clock.at)
        assert sum(at > taken[-1] - 60 for at in taken) <= rpm


def test_limits_are_divided_among_workers() -> None:
    world = World(channel("a", concurrency=8, rpm=40), channel("b", concurrency=1), rules=Rules(workers=4))
    a, b = world.router.health["a"], world.router.health["b"]
    assert a.minute is not None and (a.most, a.minute.most, b.most) == (2, 10, 1)


@given(
    parked=st.sets(st.integers(0, 5)),
    resting=st.sets(st.tuples(st.integers(0, 5), st.integers(0, 2))),
    seed=st.integers(0, 2**32),
)
def test_what_a_vendor_parked_is_never_offered(parked: set[int], resting: set[tuple[int, int]], seed: int) -> None:
    """Channels parked by Retry-After and credentials that were refused: the others are all offered, or it is refused."""
    channels = [channel(f"c{n}", credentials=3, priority=n % 2) for n in range(6)]
    clock = World().clock
    router = Router(channels, clock=clock, draw=random.Random(seed).random, rules=Rules(candidates=100))

    def fail(name: str, failure: UpstreamRefused) -> None:
        for _ in range(3):
            for candidate in router.routes("m", "default", CHAT):
                wanted = name in (candidate.credential.id, candidate.route.channel.id)
                if wanted and candidate.take():
                    router.failed(candidate, failure)
                    return

    free = {f"c{n}-{k}" for n in range(6) for k in range(3)}
    for n, k in sorted(resting):
        fail(f"c{n}-{k}", UpstreamRefused(401))
        free.discard(f"c{n}-{k}")
    for n in sorted(parked):
        if any(name.startswith(f"c{n}-") for name in free):
            fail(f"c{n}", UpstreamRefused(503, retry_after=30.0))
        free -= {f"c{n}-{k}" for k in range(3)}
    if free:
        assert {c.credential.id for c in router.routes("m", "default", CHAT)} == free
    else:
        with pytest.raises(NoChannel):
            router.routes("m", "default", CHAT)


def test_all_limited_by_their_vendors_is_429_with_the_shortest_wait() -> None:
    world = World(channel("a"), channel("b"))
    for candidate, after in zip(world.router.routes("m", "default", CHAT), (20.0, 8.0), strict=True):
        assert candidate.take()
        world.router.failed(candidate, UpstreamRefused(429, retry_after=after))
    with pytest.raises(TooMany) as caught:
        world.names()
    assert caught.value.retry_after == 8.0
    world.clock.at += 8.1
    assert len(world.names()) == 1


def test_backoff_is_jittered_grows_and_is_capped_in_all() -> None:
    rules = Rules(backoff_first=0.1, backoff_longest=0.4, backoff_total=1.0, candidates=100)
    world = World(*(channel(f"c{n}") for n in range(9)), rules=rules, draw=1 - 1e-9)
    pauses = []
    for candidate in world.router.routes("m", "default", CHAT):
        assert candidate.take()
        verdict = world.router.failed(candidate, Unreachable())
        pauses.append(verdict.pause)
    assert pauses[:3] == pytest.approx([0.1, 0.2, 0.4]) and sum(pauses) == pytest.approx(1.0)
    assert not verdict.try_next, "nothing is left after the last"
    low = World(channel("a"), channel("b"), rules=rules, draw=0.0)
    candidate = low.router.routes("m", "default", CHAT)[0]
    assert candidate.take() and low.router.failed(candidate, Unreachable()).pause == 0.05


def test_no_pause_and_no_next_where_nothing_is_left() -> None:
    world = World(channel("a", credentials=3))
    candidates = world.router.routes("m", "default", CHAT)
    assert candidates[0].take()
    verdict = world.router.failed(candidates[0], Unreachable())
    assert (verdict.try_next, verdict.pause) == (False, 0.0), "the other credentials lead to the same host"
    assert not any(candidate.take() for candidate in candidates[1:])


def test_nothing_is_tried_after_content_went_out() -> None:
    world = World(channel("a"), channel("b"))
    candidate = world.router.routes("m", "default", CHAT)[0]
    assert candidate.take()
    world.router.worked(candidate, 0.1)
    assert not world.router.failed(candidate, Unreachable(), delivered=True).try_next
    assert candidate.health.bad == 1.0


def test_a_failure_counts_once() -> None:
    world = World(channel("a"), channel("b"))
    candidate = world.router.routes("m", "default", CHAT)[0]
    assert candidate.take()
    world.router.failed(candidate, Unreachable())
    assert not world.router.failed(candidate, Unreachable()).try_next
    candidate.done()
    assert (candidate.health.bad, candidate.health.in_flight) == (1.0, 0)


def test_replaced_channels_keep_their_health_and_calls() -> None:
    world = World(channel("a", concurrency=2, credentials=2), channel("b"))
    held = next(c for c in world.router.routes("m", "default", CHAT) if c.route.channel.id == "a")
    assert held.take()
    refused = next(
        c for c in world.router.routes("m", "default", CHAT) if c.route.channel.id == "a" and c.owner is not held.owner
    )
    assert refused.take()
    world.router.failed(refused, UpstreamRefused(401))
    world.router.replace([channel("a", concurrency=1, credentials=2), channel("c")])
    assert world.names() == ["c-0"], "full at its new limit; b is gone"
    held.done()
    assert set(world.names()) == {held.credential.id, "c-0"}
    world.router.replace([channel("a", credentials=2, secret="fresh")])
    assert set(world.names()) == {"a-0", "a-1"}, "a new secret under the old id starts afresh"
