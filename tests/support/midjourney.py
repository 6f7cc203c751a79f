"""A client of Midjourney as the public web clients are: it submits, asks every so often, and reads what they read."""

import io
from base64 import b64encode
from dataclasses import dataclass, field
from typing import Any

import httpx
from PIL import Image

from support.stage import Stage
from support.waiting import wait_until

CHANNEL = """
channels:
  - {name: mj, provider: midjourney_proxy, base_url: SANDBOX/midjourney, credentials: sk-mj-CREDENTIAL, models: [midjourney]}
settings: {tasks: {poll_scale: 0.05}}
users: [{name: alice, credit: 100}, {name: bob, credit: 100}, {name: poor, credit: 0}]
keys:
  - {name: app, user: alice, secret: sk-app-0123456789}
  - {name: relaxed, user: alice, secret: sk-relaxed-0123456789, options: {midjourney_mode: relax, midjourney_numeric_ids: true}}
  - {name: bob, user: bob, secret: sk-bob-0123456789}
  - {name: poor, user: poor, secret: sk-poor-0123456789}
"""
ENDS = ("SUCCESS", "FAILURE", "CANCEL")


@dataclass
class Client:
    """Calls with one key; `before` stands in front of every path, such as `/mj-relax`."""

    stage: Stage
    key: str = ""
    before: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def call(self, method: str, path: str, body: object = None) -> httpx.Response:
        """Call something below `/mj`."""
        shown = {"mj-api-secret": self.key or self.stage.key, **self.headers}
        url = f"{self.stage.url}{self.before}/mj{path}"
        # No certificates are loaded for a plain address: that takes longer than most calls.
        return httpx.request(method, url, json=body, headers=shown, timeout=60, verify=False)

    def post(self, path: str, **body: object) -> httpx.Response:
        """POST a body."""
        return self.call("POST", path, body)

    def submit(self, path: str, **body: object) -> dict[str, Any]:
        """A submission's answer."""
        reply = self.post(path, **body)
        assert reply.status_code == 200, reply.text
        told: dict[str, Any] = reply.json()
        return told

    def taken(self, path: str, code: int = 1, **body: Any) -> str:
        """The id of a submission that was taken."""
        told = self.submit(path, **body)
        assert told["code"] == code, told
        return str(told["result"])

    def fetch(self, id: str) -> dict[str, Any]:
        """The task as it stands."""
        reply = self.call("GET", f"/task/{id}/fetch")
        assert reply.status_code == 200, reply.text
        told: dict[str, Any] = reply.json()
        return told

    def until(self, id: str, *statuses: str) -> dict[str, Any]:
        """The task once it has one of these statuses, or has ended."""
        found: dict[str, Any] = {}

        def look() -> bool:
            found.update(self.fetch(id))
            return found["status"] in (statuses or ENDS)

        wait_until(look, what=f"the task {id} to end: {found}", seconds=60)
        return found

    def done(self, path: str, **body: Any) -> dict[str, Any]:
        """Submit, and the task once it has succeeded."""
        task = self.until(self.taken(path, **body))
        assert task["status"] == "SUCCESS", task
        return task

    def press(self, task: dict[str, Any], label: str, *, code: int = 1, **more: Any) -> str:
        """Press a button by its label or emoji; the id of what it makes."""
        return self.taken("/submit/action", code, taskId=task["id"], customId=button(task, label), **more)


def button(task: dict[str, Any], label: str) -> str:
    """The customId of a button."""
    found = [one["customId"] for one in task["buttons"] if label in (one["label"], one["emoji"])]
    assert found, (label, task["buttons"])
    return str(found[0])


def picture(address: str) -> Image.Image:
    """A picture, opened."""
    reply = httpx.get(address, timeout=60, verify=False)
    assert reply.status_code == 200, (address, reply.status_code)
    found = Image.open(io.BytesIO(reply.content))
    found.load()
    return found.convert("RGB")


def quarter(grid: Image.Image, index: int) -> Image.Image:
    """One of the four pictures of a grid: 1 and 2 above, 3 and 4 below."""
    width, height = grid.width // 2, grid.height // 2
    left, top = (index - 1) % 2 * width, (index - 1) // 2 * height
    return grid.crop((left, top, left + width, top + height))


def apart(one: Image.Image, other: Image.Image) -> float:
    """How far two pictures of any sizes are from each other: mean difference of a channel, 0 to 255."""
    small = [each.resize((64, 64)).tobytes() for each in (one, other)]
    return float(sum(abs(a - b) for a, b in zip(*small, strict=True)) / len(small[0]))


def drawn(colour: tuple[int, int, int], size: tuple[int, int] = (64, 64)) -> str:
    """A picture of one colour as a data URL."""
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "PNG")
    return "data:image/png;base64," + b64encode(out.getvalue()).decode()
