"""Replicate's official SDK for Node against the gateway, with the sandbox behind it; what it got is opened."""

import base64
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from support.node import tell
from support.replicate import CHANNELS, fetched, opened, photo
from support.stage import Stage, mark, set_stage
from support.world import Process


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, vendors: Process) -> Iterator[Stage]:
    """A gateway with a channel to Replicate, that may tell the sandbox of predictions."""
    private = "settings: {notify: {allow_private_targets: true}}\n"
    built = set_stage(tmp_path_factory.mktemp("node"), vendors, CHANNELS + private)
    yield built
    built.settled()
    built.sound()
    built.stop()


@pytest.fixture(scope="module")
def seen(stage: Stage) -> dict[str, Any]:
    """What the script saw."""
    hook = f"{stage.sandbox.url}/sandbox/hooks/{mark()}"
    found: dict[str, Any] = tell("replicate", stage.key, stage.url, hook, base64.b64encode(photo()).decode())
    return found


def sizes(urls: list[str]) -> list[tuple[int, int]]:
    return [opened(fetched(url)).size for url in urls]


def test_run_in_each_of_its_ways(stage: Stage, seen: dict[str, Any]) -> None:
    assert all(url.startswith(stage.url) for url in seen["blocked"])
    assert sizes(seen["blocked"]) == sizes(seen["polled"]) == [(512, 512)]
    assert sizes(seen["named"]) == [(64, 64)]
    assert seen["seen"][-1] == "succeeded"
    output = seen["output"]
    picture = opened(base64.b64decode(output["bytes"]))
    assert (picture.format, picture.size) == ("PNG", (512, 512))
    assert output["url"].startswith(stage.url.replace("http:", "https:"))


def test_a_wait_that_is_over_and_polls(seen: dict[str, Any]) -> None:
    late = seen["late"]
    assert (late["status"], late["ended"]) == ("starting", "succeeded")
    assert sizes(late["output"]) == [(512, 512)]


def test_streams(seen: dict[str, Any]) -> None:
    names = [one["event"] for one in seen["events"]]
    assert names[-1] == "done" and names.count("output") == 2 and "logs" in names
    assert sizes([one["data"] for one in seen["events"] if one["event"] == "output"]) == [(512, 512)] * 2


def test_files(stage: Stage, seen: dict[str, Any]) -> None:
    file = seen["file"]
    assert file["url"] == f"{stage.url}/replicate/v1/files/{file['id']}"
    assert file["same"] and file["listed"] and file["deleted"]
    assert seen["gone"]["status"] == 404
    for url in (seen["cut"], seen["uploaded"]):
        assert (opened(fetched(url)).mode, opened(fetched(url)).size) == ("RGBA", (120, 80))


def test_callbacks_hold(seen: dict[str, Any]) -> None:
    assert seen["webhook"] == {"trusted": True, "forged": False, "names": True, "calls": 1}


def test_cancel_lists_and_things(seen: dict[str, Any]) -> None:
    assert seen["canceled"] == "canceled"
    assert seen["listed"] is True
    assert (seen["account"], seen["model"]) == ("user", "rembg")


def test_refusals(stage: Stage, seen: dict[str, Any]) -> None:
    assert "NSFW" in seen["failed"]["message"]
    assert (seen["unfit"]["name"], seen["unfit"]["status"]) == ("ApiError", 422)
    assert "num_outputs" in seen["unfit"]["message"]
    assert (seen["nobody"]["name"], seen["nobody"]["status"]) == ("ApiError", 401)
    reply = httpx.get(f"{stage.url}/replicate/v1/files", headers={"authorization": f"Bearer {stage.key}"})
    assert reply.status_code == 200
