"""Providers tell of tasks at secret addresses: a task ends long before anybody would have asked after it."""

from collections.abc import Iterator
from time import monotonic

import httpx
import pytest

from support.midjourney import CHANNEL, Client
from support.stage import Stage, set_stage
from support.waiting import wait_until
from support.world import start

#: The first question after a task comes only when the test is long over.
UNASKED = CHANNEL.replace("CREDENTIAL", "told").replace("poll_scale: 0.05", "poll_scale: 100")
#: A task takes about half a second here; seconds.
TOLD_WITHIN = 10.0


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A gateway that providers can reach; they may, since both are on this machine."""
    home = tmp_path_factory.mktemp("told")
    vendors = start(["sandbox", "--port", "0", "--json", "--task-speed", "10"], home / "sandbox.log")
    stage = set_stage(home, vendors, UNASKED)
    stage.manage("settings", "set", "public_url", stage.url)
    yield stage
    stage.stop()
    vendors.stop()


@pytest.mark.endpoint("P6")
def test_a_task_ends_by_its_callback(stage: Stage) -> None:
    client = Client(stage)
    open_task: list[str] = []

    def ended() -> bool:
        """The setting reaches the worker a moment later: a task that was sent before then is told of nothing."""
        if not open_task:
            open_task.append(client.taken("/submit/imagine", prompt="a lighthouse"))
        started = monotonic()
        while client.fetch(open_task[0])["status"] != "SUCCESS" and monotonic() - started < TOLD_WITHIN:
            pass
        if client.fetch(open_task[0])["status"] == "SUCCESS":
            return True
        client.call("POST", f"/task/{open_task.pop()}/cancel")
        return False

    wait_until(ended, what="a task to end without being asked after", seconds=60)


@pytest.mark.endpoint("P6")
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["/callbacks/task_0/none", "/callbacks/%00/x", "/callbacks/1/%2e%2e"])
def test_addresses_that_were_given_to_nobody(stage: Stage, method: str, path: str) -> None:
    reply = httpx.request(method, stage.url + path, verify=False)
    assert reply.status_code == 404
    assert reply.headers["x-request-id"].startswith("req_")
