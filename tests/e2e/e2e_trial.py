"""Calls through a time in which something is gone, and what must be true of them during it and after it."""

import time

import httpx

from support.stage import KEY, Stage, body
from support.waiting import wait_until

USERS = """
prices:
  - {model: gpt-4o-mini, input: 0.15, output: 0.60}
users:
  - {name: alice, credit: 100}
keys:
  - {name: app, user: alice, secret: sk-app-0123456789}
"""
#: The promise is 2.5 s; the rest is for a busy machine.
AT_ONCE = 2.5 + 2.0


class Trial:
    """Calls through an outage, one after the other, with what came of each."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.good: list[str] = []
        self.statuses: list[int] = []

    def call(self, key: str = KEY) -> httpx.Response:
        """One call, which never hangs, and never says that there is no money."""
        began = time.monotonic()
        reply = self.stage.post(body("hi"), key=key)
        assert time.monotonic() - began < AT_ONCE, reply
        self.statuses.append(reply.status_code)
        assert reply.status_code in (200, 401, 503), reply.text
        if reply.status_code == 200:
            self.good.append(reply.headers["x-request-id"])
        if reply.status_code == 503:
            assert reply.json()["error"]["code"] == "store_unavailable", reply.text
            assert int(reply.headers["retry-after"]) >= 1
            assert "x-unigate-cost" not in reply.headers
        return reply

    def until(self, status: int, seconds: float = 30.0) -> None:
        """Call until the answer is this."""
        wait_until(lambda: self.call().status_code == status, seconds=seconds, what=f"status {status}")

    def ready(self) -> int:
        """What `/readyz` says."""
        return httpx.get(self.stage.url + "/readyz", timeout=AT_ONCE).status_code

    def checked(self) -> None:
        """Everything is back: each good call has its row, no other costs anything, the books agree."""
        self.until(200)
        wait_until(lambda: self.ready() == 200, what="ready again")
        for call_id in self.good:
            self.stage.row(call_id)
        charged = {call_id for call_id, row in self.stage.rows().items() if row["cost"]}
        assert charged == set(self.good)
        self.stage.settled()
        self.stage.sound()
