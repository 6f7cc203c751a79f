"""What tests of the imitation Midjourney server use to talk to it."""

import base64
import io
import itertools
from collections.abc import Callable
from typing import Any

from PIL import Image, ImageChops, ImageStat
from sandbox_client import Sandbox, eventually

_NUMBERS = itertools.count()
ENDED = ("SUCCESS", "FAILURE", "CANCEL")
Task = dict[str, Any]


class Midjourney:
    """A caller with accounts of its own."""

    def __init__(self, sandbox: Sandbox, base: str = "/midjourney", key: str = "") -> None:
        self.sandbox = sandbox
        self.base = sandbox.url + base
        self.key = key or f"mj-caller-{next(_NUMBERS)}"

    def post(self, path: str, at: str = "/mj", **body: Any) -> Any:
        """A call that is answered with status 200."""
        headers = {"mj-api-secret": self.key}
        answer = self.sandbox.http.post(f"{self.base}{at}{path}", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def get(self, path: str, at: str = "/mj") -> Any:
        """A query."""
        answer = self.sandbox.http.get(f"{self.base}{at}{path}", headers={"mj-api-secret": self.key})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def fetch(self, id: str) -> Task:
        """A task."""
        task: Task = self.get(f"/task/{id}/fetch")
        return task

    def until(self, id: str, holds: Callable[[Task], object]) -> Task:
        """A task once something holds of it."""

        def look() -> Task | None:
            task = self.fetch(id)
            return task if holds(task) else None

        found: Task = eventually(look, 40)
        return found

    def running(self, id: str, progress: str) -> Task:
        """A task that runs and has come so far."""
        return self.until(id, lambda task: (task["status"], task["progress"]) == ("IN_PROGRESS", progress))

    def ended(self, answer: dict[str, Any]) -> Task:
        """The task that a submit made, once it has ended."""
        assert answer["code"] in (1, 22), answer
        return self.until(answer["result"], lambda task: task["status"] in ENDED)

    def imagine(self, prompt: str, **more: Any) -> Task:
        """A finished grid."""
        task = self.ended(self.post("/submit/imagine", prompt=prompt, **more))
        assert task["status"] == "SUCCESS", task
        return task

    def press(self, task: Task, label: str, **more: Any) -> Any:
        """The answer to a button, named by its label or emoji."""
        return self.post("/submit/action", taskId=task["id"], customId=button(task, label), **more)

    def pressed(self, task: Task, label: str, **more: Any) -> Task:
        """What a button makes."""
        made = self.ended(self.press(task, label, **more))
        assert made["status"] == "SUCCESS", made
        return made

    def picture(self, task: Task) -> Image.Image:
        """The picture of a task."""
        return opened(self.sandbox.http.get(task["imageUrl"]).content)


def button(task: Task, label: str) -> str:
    """The customId of a button."""
    found: str = next(one["customId"] for one in task["buttons"] if label in (one["label"], one["emoji"]))
    return found


def opened(data: bytes) -> Image.Image:
    """A picture from its file."""
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def data_url(image: Image.Image) -> str:
    """A picture as callers send one."""
    out = io.BytesIO()
    image.save(out, "PNG")
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()


def plain(colour: str, width: int = 200, height: int = 200) -> Image.Image:
    """A picture of one colour."""
    return Image.new("RGB", (width, height), colour)


def differing(one: Image.Image, other: Image.Image) -> float:
    """How far two pictures are apart, 0..255 on average; they are brought to one size."""
    first = one.convert("RGB")
    return sum(ImageStat.Stat(ImageChops.difference(first, other.convert("RGB").resize(first.size))).mean) / 3


def part(image: Image.Image, left: float, top: float, right: float, bottom: float) -> Image.Image:
    """A part of a picture, by shares of its sides."""
    wide, high = image.size
    return image.crop((round(left * wide), round(top * high), round(right * wide), round(bottom * high)))
