"""Calls that name no model: by any channel whose provider has the operation."""

from dataclasses import replace

import pytest
from routing_cases import CHAT, MUTE, World, channel

from unigate.base.errors import NoChannel, NotFound

KEEPS = replace(CHAT, name="openai.vector_stores.create", path="/v1/vector_stores", binds="vector_store")


def offering(world: World, group: str = "default") -> list[str]:
    return [candidate.credential.id for candidate in world.router.offering(group, KEEPS)]


def test_by_priority_and_only_where_it_is_offered() -> None:
    world = World(
        channel("a", models={}, priority=1),
        channel("b", models={"x": "x"}, priority=5, credentials=2),
        channel("c", priority=9, provider=MUTE),
        channel("d", priority=9, groups=frozenset({"others"})),
        channel("e", priority=9, enabled=False),
    )
    assert sorted(offering(world)[:2]) == ["b-0", "b-1"]
    assert offering(world)[2:] == ["a-0"]
    assert offering(world, "others") == ["d-0"]


def test_where_nobody_offers_it_or_nobody_is_there() -> None:
    world = World(channel("c", provider=MUTE))
    with pytest.raises(NotFound, match="No channel offers /v1/vector_stores"):
        offering(world)
    world = World(channel("a", enabled=False))
    with pytest.raises(NoChannel):
        offering(world)


def test_names_of_models_are_not_mixed_up_with_it() -> None:
    world = World(channel("a", models={"m": "m"}))
    assert offering(world) == ["a-0"]
    for model in ("", "*"):
        with pytest.raises(NotFound):
            world.router.routes(model, "default", KEEPS)
