"""The fault matrix: a failing channel before a good one. What the caller got, which tries were recorded, what it cost."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from support.waiting import wait_until
from support.world import World, build_world, rows_until


@dataclass(frozen=True)
class Case:
    """One fault of the first channel, and what comes of it."""

    fault: str
    #: Statuses of the tries at the first channel, 0 without an answer; the second channel's 200 follows unless `alone`.
    tries: tuple[int, ...]
    stream: bool = False
    #: What the caller got of the first channel, where no second try is allowed.
    alone: int = 0
    ended: str = "completed"
    charged: bool = True
    timeouts: str = "{}"
    name: str = field(default="", compare=False)


CASES = (
    Case("400", (400,), alone=400, ended="failed", charged=False),
    Case("401", (401,)),
    Case("402", (402,)),
    Case("403", (403,)),
    Case("404", (404,), alone=404, ended="failed", charged=False),
    Case("408", (408,)),
    Case("409", (409,), alone=409, ended="failed", charged=False),
    Case("413", (413,), alone=413, ended="failed", charged=False),
    Case("422", (422,), alone=422, ended="failed", charged=False),
    Case("429", (429,)),
    Case("500", (500,)),
    Case("502", (502,)),
    Case("503", (503,)),
    Case("504", (504,)),
    Case("529", (529,)),
    Case("503", (503,), stream=True),
    Case("429", (429,), stream=True),
    Case("400", (400,), stream=True, alone=400, ended="failed", charged=False),
    Case("hang", (0,), timeouts="{first_byte: 0.6}"),
    Case("slow-first-byte:0.2", (200,), alone=200, timeouts="{first_byte: 20}"),
    Case("hang-after:1", (0,), stream=True, timeouts="{idle: 0.6}"),
    Case("cut-after:1", (0,), stream=True),
    Case("cut-after:1", (0,)),
    Case("malformed-chunk:1", (0,), stream=True),
    Case("malformed-chunk:1", (0,)),
    Case("empty-body", (0,)),
    Case("oversize:2", (0,)),
    Case("error-event:1", (0,), stream=True),
    Case("empty", (200,), alone=200, ended="empty", charged=False),
    Case("empty", (200,), stream=True, alone=200, ended="empty", charged=False),
    Case("missing-usage", (200,), alone=200),
    Case("missing-usage", (200,), stream=True, alone=200),
    Case("missing-end", (200,), stream=True, alone=200),
    # Content has gone out: nothing else may be tried, what went out is charged.
    Case("cut-after:4", (200,), stream=True, alone=200, ended="upstream_broken"),
    Case("malformed-chunk:4", (200,), stream=True, alone=200, ended="upstream_broken"),
    Case("error-event:4", (200,), stream=True, alone=200, ended="upstream_broken"),
    Case("missing-finish,missing-end", (200,), stream=True, alone=200, ended="upstream_broken"),
    Case("hang-after:4", (200,), stream=True, alone=200, ended="upstream_broken", timeouts="{idle: 0.6}"),
)


def channels() -> str:
    """For each case a model of its own, with a failing and a good channel."""
    out = []
    for n, case in enumerate(CASES):
        model = f"{{case-{n}: gpt-4o-mini}}"
        out.append(
            f'  - {{name: bad-{n}, provider: openai, base_url: "SANDBOX/fault/{case.fault}/openai/v1", priority: 1,'
            f" credentials: sk-bad, models: {model}, timeouts: {case.timeouts}}}"
        )
        out.append(
            f"  - {{name: good-{n}, provider: openai, base_url: SANDBOX/openai/v1, credentials: sk-good, models: {model}}}"
        )
    out.append('prices:\n  - {model: "case-*", input: 0.15, output: 0.60}')
    return "\n".join(out)


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A gateway with two channels for each case."""
    built = build_world(tmp_path_factory.mktemp("matrix"), "sqlite:///unigate.db", more=channels(), own_prices=False)
    yield built
    built.process.stop()
    built.sandbox.stop()


async def found_row(world: World, model: str) -> dict[str, Any]:
    """The one row of a case's call."""
    found = await rows_until(world, lambda rows: any(row["model"] == model for row in rows))
    rows = [row for row in found if row["model"] == model]
    assert len(rows) == 1, rows
    return rows[0]


@pytest.mark.parametrize("number", range(len(CASES)), ids=lambda n: f"{CASES[n].fault}{'-stream' * CASES[n].stream}")
async def test_fault(matrix: World, number: int) -> None:
    case, model = CASES[number], f"case-{number}"
    body = {"model": model, "messages": [{"role": "user", "content": "Count from one to ten in words."}]}
    reply = matrix.post({**body, "stream": True} if case.stream else body)
    tried = [*case.tries] if case.alone else [*case.tries, 200]
    if case.alone >= 400:
        assert reply.status_code == case.alone, reply.text
        assert reply.json()["error"]["message"]
    else:
        assert reply.status_code == 200, reply.text
        check_answer(case, reply)
    assert reply.headers["x-request-id"]
    row = await found_row(matrix, model)
    assert row["id"] == reply.headers["x-request-id"]
    assert [attempt[2] if attempt[3] == "" or attempt[2] != 200 else 0 for attempt in row["attempts"]] in (
        tried,
        [] if tried == [200] else tried,
    )
    assert row["ended"] == case.ended
    assert (row["cost"] > 0) is case.charged
    told = "missing-usage" not in case.fault and (case.ended != "upstream_broken" or "missing-finish" in case.fault)
    assert bool(row["estimated"]) is not told


def check_answer(case: Case, reply: httpx.Response) -> None:
    """A good answer is whole; a broken stream ends with an error event and without a mark of completeness."""
    if not case.stream:
        assert reply.json()["choices"]
        return
    events = [line.removeprefix("data: ") for line in reply.text.splitlines() if line.startswith("data: ")]
    if case.ended == "upstream_broken":
        assert json.loads(events[-1])["error"]["code"] in ("upstream_error", "upstream_timeout")
        assert "[DONE]" not in events
    elif "missing-end" not in case.fault:
        assert events[-1] == "[DONE]"
        assert all("error" not in json.loads(event) for event in events[:-1])


def test_every_route_failing(world: World) -> None:
    """No second channel: what remains is the gateway's own error, which names no secret and is free."""
    before = world.usage()
    for fault, status, code in (
        ("500", 503, "no_channel_available"),
        ("401", 503, "no_channel_available"),
        ("429", 429, "rate_limit_exceeded"),
    ):
        reply = world.post({"model": "o3-mini", "messages": [{"role": "user", "content": f"[[fault:{fault}]]"}]})
        assert (reply.status_code, reply.json()["error"]["code"]) in ((status, code), (503, "no_channel_available"))
        assert "sk-" not in reply.text
    wait_until(lambda: world.usage()["cache_used"] == 0)
    assert world.usage()["used"] == before["used"]
