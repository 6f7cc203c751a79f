"""The provider with tasks of docs/providers.md, driven by the engine against a vendor that works as the page says."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from support.task_rig import COST, MILLION, Node, Rig, rig
from support.task_vendor import Vendor
from unigate.base.errors import GatewayError
from unigate.spec.channel import Channel, Timeouts
from unigate.spec.operation import Operation
from unigate.spec.provider import Credential, Provider
from unigate.spec.task import Draft, Task
from unigate.store.database import Database

DOCUMENT = (Path(__file__).parents[2] / "docs" / "providers.md").read_text()
SOURCE = next(block for block in re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL) if "TaskApi" in block)
IMAGINE = Operation(
    name="midjourney.imagine",
    method="POST",
    path="/mj/submit/imagine",
    dialect="openai_responses",  # whose callers ask is not what this is about
    family="midjourney",
    use="task",
)


@dataclass
class Lantern:
    """The vendor: one step with each look."""

    paintings: dict[str, dict[str, Any]] = field(default_factory=dict)
    looks: int = 0
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                method, target, _ = head.decode().split(" ", 2)
                assert "\r\nauthorization: Bearer sk-lantern\r\n" in head.decode()
                length = re.search(r"content-length: (\d+)", head.decode())
                body = await reader.readexactly(int(length[1]) if length else 0)
                found = self.answer(method, urlsplit(target).path, parse_qs(urlsplit(target).query), body)
                if found is None:
                    break
                status, told = found
                data = json.dumps(told).encode()
                writer.write(b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n\r\n%b" % (status, len(data), data))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: bytes) -> tuple[int, Any] | None:
        if method == "POST" and path == "/paintings":
            return self.begin(json.loads(body))
        if "mark" in query:
            return 200, [one for one in self.paintings.values() if one["mark"] == query["mark"][0]]
        if "of" in query:
            return 200, [self.look(id) for id in query["of"][0].split(",") if id in self.paintings]
        id = path.split("/")[2]
        if path.endswith("/stop"):
            self.paintings[id]["phase"] = "stopped"
            return 200, self.paintings[id]
        return 200, self.look(id)

    def begin(self, told: dict[str, Any]) -> tuple[int, Any] | None:
        assert told["brush"] == "film-1"
        if told["text"] == "busy":
            return 200, {"busy": True}
        made = {"painting": f"p{len(self.paintings)}", "phase": "mixing", "mark": told["mark"], "text": told["text"]}
        self.paintings[made["painting"]] = made
        return None if told["text"] == "hang up" else (201, made)

    def look(self, id: str) -> dict[str, Any]:
        self.looks += 1
        one = self.paintings[id]
        if one["phase"] == "painting" and one["text"] != "slowly":
            ends = {"phase": "torn", "why": "The canvas tore."} if one["text"] == "tear" else {"phase": "dry"}
            one |= {"file": "http://files.lantern.example/1.png", **ends}
        elif one["phase"] == "mixing":
            one |= {"phase": "painting", "done": 0.25}
        return one


@asynccontextmanager
async def lantern() -> AsyncIterator[Lantern]:
    vendor = Lantern()
    server = await asyncio.start_server(vendor.serve, "127.0.0.1", 0)
    vendor.url = "http://{}:{}".format(*server.sockets[0].getsockname()[:2])
    yield vendor
    server.close()


@pytest.fixture
def provider() -> Provider:
    """As the page has it."""
    module = ModuleType("lantern")
    exec(compile(SOURCE, "docs/providers.md", "exec"), module.__dict__)
    found: Provider = module.__dict__["PROVIDER"]
    return found


@dataclass
class House:
    """A node whose only channel leads to the vendor."""

    rig: Rig
    node: Node
    vendor: Lantern

    async def submit(self, prompt: str) -> Task:
        call = self.node.call("one", prompt.encode())
        call.operation = IMAGINE
        draft = Draft(operation=IMAGINE.name, model="film", body={"prompt": prompt})
        return await self.node.tasks.submit(call, draft, base="http://gateway.test")


@pytest.fixture
async def house(
    provider: Provider, sqlite_url: str, opening: Callable[..., Database], tmp_path: Path
) -> AsyncIterator[House]:
    async with lantern() as vendor:

        def channels(_: Vendor) -> list[Channel]:
            return [
                Channel(
                    id="ch_1",
                    name="lantern",
                    provider=provider,
                    base_url=vendor.url,
                    credentials=(Credential("crd_1", "sk-lantern"),),
                    models={"film": "film-1"},
                    timeouts=Timeouts(connect=2, first_byte=2, idle=2, total=4),
                )
            ]

        async with rig(opening(sqlite_url), tmp_path, channels=channels) as made:
            node = await made.node()
            node.tasks.engine._operations[IMAGINE.name] = IMAGINE
            node.svc.settings = made.settings
            yield House(made, node, vendor)


def test_it_is_short() -> None:
    assert len(SOURCE.splitlines()) < 150


async def test_a_painting_is_made_and_paid(house: House) -> None:
    task = await house.submit("a lighthouse")
    assert (task.state, task.queued, task.handle) == ("running", True, {"painting": "p0"})
    done = await house.node.ended(task.id, seconds=60)
    assert (done.state, done.percent, done.cost) == ("succeeded", 100, COST)
    assert await house.rig.spent() == (MILLION - COST, 0)
    await house.rig.sound()


async def test_a_failure_costs_nothing(house: House) -> None:
    done = await house.node.ended((await house.submit("tear")).id, seconds=60)
    assert done.error is not None
    assert (done.state, done.error.code, done.error.message) == ("failed", "torn", "The canvas tore.")
    assert await house.rig.spent() == (MILLION, 0)
    await house.rig.sound()


async def test_several_are_asked_after_at_once(house: House) -> None:
    tasks = [await house.submit(f"picture {n}") for n in range(3)]
    for task in tasks:
        assert (await house.node.ended(task.id, seconds=60)).state == "succeeded"
    await house.rig.sound()


async def test_what_is_stopped_is_not_billed(house: House) -> None:
    task = await house.submit("slowly")
    stopped = await house.node.tasks.cancel(task)
    assert (stopped.state, stopped.cost) == ("canceled", 0)
    assert await house.rig.spent() == (MILLION, 0)
    await house.rig.sound()


async def test_an_order_whose_answer_got_lost_is_found_again(house: House) -> None:
    task = await house.submit("hang up")
    done = await house.node.ended(task.id, seconds=60)
    assert done.state == "succeeded" and len(house.vendor.paintings) == 1
    await house.rig.sound()


async def test_a_refusal_is_one(house: House) -> None:
    with pytest.raises(GatewayError):
        await house.submit("busy")
    assert await house.rig.spent() == (MILLION, 0)
    await house.rig.sound()
