"""Addresses of predictions' streams: what was signed before the gateway's secret changed still works."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest

from support.task_rig import KEY, Asked, Rig, rig
from unigate.base.clock import now_ms
from unigate.base.errors import GatewayError
from unigate.dialects import operations
from unigate.dialects.replicate_links import stream_address
from unigate.relay.call import Call
from unigate.relay.replicate_uses import stream
from unigate.relay.task_parts import TaskParts, TaskPlaces
from unigate.relay.tasks import TaskView
from unigate.spec.exchange import Exchange
from unigate.store.database import Database
from unigate.tasks.signing import user_secret

STREAM = next(one for one in operations() if one.use == "replicate_stream")


class Opening(Asked):
    """A request without headers."""

    headers: tuple[tuple[bytes, bytes], ...] = ()


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(database, tmp_path) as made:
        yield made


@pytest.mark.parametrize(("secret", "works"), [("new", True), ("old", True), ("guessed", False)])
async def test_every_secret_of_the_gateway_opens_them(house: Rig, tmp_path: Path, secret: str, works: bool) -> None:
    node = await house.node(started=False)
    places = TaskPlaces(data=tmp_path, storage="file:///assets", keep=True, secret="new", others=("old",))
    parts = TaskParts(house.db, node.svc, node.client, places)
    made = await node.submit()
    await house.set(made.id, dialect="replicate")
    view = TaskView(base="", now=now_ms(), secrets=lambda user: (user_secret(secret, user),))
    path, _, query = stream_address(made, view).partition("?")
    asked = Opening(b"GET", path.encode(), {})
    asked.query = query.encode()
    call = Call(cast(Exchange, asked), "req_1", STREAM, KEY, now_ms())
    call.params = {"id": made.id}
    if works:
        await (await stream(call, node.svc)).pieces.aclose()
    else:
        with pytest.raises(GatewayError):
            await stream(call, node.svc)
    await parts.letters.close()
