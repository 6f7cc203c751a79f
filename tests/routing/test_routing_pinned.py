"""Calls that only one channel and credential can serve: what goes on from something kept, and what is about it."""

from dataclasses import replace

import pytest
from routing_cases import CHAT, MUTE, World, channel

from unigate.base.errors import ChannelOff, NotFound, Unreachable
from unigate.routing.choice import Router
from unigate.spec.binding import Binding
from unigate.spec.operation import Operation

KEEPS: Operation = replace(CHAT, binds="response")
KEPT = Binding(
    kind="response",
    public_id="resp_1",
    upstream_id="resp_1",
    channel_id="b",
    credential_id="b-1",
    user_id="usr_1",
    model="m",
    created_at=1,
)


def pinned(router: Router, kept: Binding = KEPT, model: str = "m", group: str = "default") -> list[str]:
    return [candidate.credential.id for candidate in router.pinned(kept, model, group, KEEPS)]


def test_only_where_it_is_known() -> None:
    world = World(channel("a", credentials=2, priority=9), channel("b", credentials=3), channel("c"))
    for _ in range(5):
        assert pinned(world.router) == ["b-1"]
        assert world.router.bound(KEPT).credential.id == "b-1"


def test_the_upstreams_name_of_the_model_is_that_channels() -> None:
    world = World(channel("a"), channel("b", credentials=2, models={"m": "there", "n": "other"}))
    (candidate,) = world.router.pinned(KEPT, "n", "default", KEEPS)
    assert candidate.route.model == "other"
    assert world.router.bound(KEPT).route.model == "there"


def test_a_replaced_credential_gives_way_to_what_the_channel_has() -> None:
    world = World(channel("b"))
    assert pinned(world.router) == ["b-0"]
    assert world.router.bound(KEPT).credential.id == "b-0"


def test_a_model_that_is_not_served_there() -> None:
    world = World(channel("a", models={"n": "n"}), channel("b", credentials=2))
    with pytest.raises(NotFound) as told:
        pinned(world.router, model="n")
    assert (told.value.code, told.value.param) == ("model_not_found", "model")
    assert "response" in told.value.message
    with pytest.raises(NotFound):
        pinned(world.router, model="unheard")


def test_a_channel_that_left_the_group_is_no_way_on_but_still_asked_about() -> None:
    world = World(channel("a"), channel("b", credentials=2, groups=frozenset({"other"})))
    with pytest.raises(NotFound):
        pinned(world.router)
    assert world.router.bound(KEPT).credential.id == "b-1"


@pytest.mark.parametrize("there", [(), (channel("b", enabled=False),), (channel("b", credentials=0),)])
def test_a_channel_that_is_gone_or_disabled(there: tuple[object, ...]) -> None:
    world = World(channel("a"), *there)  # type: ignore[arg-type]
    with pytest.raises(ChannelOff):
        pinned(world.router)
    with pytest.raises(ChannelOff):
        world.router.bound(KEPT)


def test_a_parked_channel_is_tried_all_the_same_since_there_is_no_other() -> None:
    world = World(channel("a"), channel("b", credentials=2))
    health = world.router.health["b"]
    for _ in range(50):
        candidate = world.router.bound(KEPT)
        assert candidate.take()
        world.router.failed(candidate, Unreachable())
        candidate.done()
        if health.parked:
            break
    assert health.parked
    (candidate,) = world.router.pinned(KEPT, "m", "default", KEEPS)
    assert candidate.take()


def test_a_model_whose_channels_lack_the_operation_is_told_so() -> None:
    world = World(channel("a", provider=MUTE), channel("b", models={"n": "n"}))
    with pytest.raises(NotFound) as told:
        world.names()
    assert told.value.code == "model_not_found" and "/v1/chat/completions" in told.value.message
    with pytest.raises(NotFound) as unknown:
        world.names("unheard")
    assert "/v1" not in unknown.value.message
    with pytest.raises(NotFound) as hidden:
        world.names(group="elsewhere")
    assert "/v1" not in hidden.value.message, "what other groups are served is not told"
