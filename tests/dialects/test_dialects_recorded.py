"""Recorded cases of dialects that have no vendor of their own to tell: a folder of files each, and no code.

`recordings/<dialect>/<case>/`: `client.json` is what the caller sends, `upstream.json` what the provider must get (absent:
the same), `reply.json` or `reply.sse` what it answers, `expected.*` what the caller must get (absent: the same bytes),
`case.json` the facts to be found. Streams are fed whole and in every kind of cut.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.cuts import cuts
from unigate.dialects import Dialect, dialect, streams
from unigate.spec.provider import Provider

RECORDINGS = Path(__file__).parent / "recordings"
PLAIN = Provider(name="plain", title="Plain", base_url=None, speaks=())


@dataclass
class Case:
    folder: Path
    spoken: Dialect
    facts: dict[str, Any]

    def read(self, name: str) -> bytes | None:
        """A file's bytes, without the line end that a JSON file has last."""
        path = self.folder / name
        if not path.exists():
            return None
        data = path.read_bytes()
        return data.removesuffix(b"\n") if path.suffix == ".json" else data

    def must(self, name: str) -> bytes:
        data = self.read(name)
        assert data is not None
        return data

    @property
    def cost(self) -> str | None:
        found: str | None = self.facts.get("cost")
        return found


def named(case: Case) -> str:
    return f"{case.folder.parent.name}-{case.folder.name}"


CASES = [
    Case(path.parent, dialect(path.parent.parent.name), json.loads(path.read_text()))
    for path in sorted(RECORDINGS.glob("*/*/case.json"))
]
STREAMS = [case for case in CASES if case.read("reply.sse") is not None]
ANSWERS = [case for case in CASES if case.read("reply.json") is not None]


@pytest.mark.parametrize("case", CASES, ids=named)
def test_the_request_is_what_the_provider_expects(case: Case) -> None:
    client = case.must("client.json")
    facts = case.spoken.read(client)
    edits = case.spoken.Edits(model=case.facts["upstream_model"], ask_usage=True, output_limit=case.facts.get("lower"))
    assert case.spoken.edit(client, facts, edits) == (case.read("upstream.json") or client)
    found = {
        "model": facts.model,
        "count": facts.count,
        "limit": facts.output_limit,
        "stream": facts.stream,
        "open_input": facts.open_input,
        "include_cost": facts.include_cost,
    }
    wanted = {"count": 1, "limit": None, "stream": False, "open_input": False, "include_cost": False}
    assert found == wanted | case.facts["request"]


@pytest.mark.parametrize("case", ANSWERS, ids=named)
def test_the_answer_is_what_the_caller_expects(case: Case) -> None:
    reply, client = case.must("reply.json"), case.must("client.json")
    if "status" in case.facts:
        assert case.spoken.pass_error(case.facts["status"], reply) == (case.read("expected.json") or reply)
        assert case.spoken.read_error(case.facts["status"], reply).code == case.facts["code"]
        return
    seen = case.spoken.read_answer(reply, PLAIN)
    assert (seen.usage.units if seen.usage else None) == case.facts["usage"]
    assert seen.empty is case.facts.get("empty", False)
    usage = seen.usage or case.spoken.estimate(client, seen)
    check_estimate(case, usage.units, estimated=usage.estimated)
    if case.cost is not None:
        assert case.spoken.add_cost(reply, case.cost, usage) == case.must("expected.json")


@pytest.mark.parametrize("case", STREAMS, ids=named)
def test_the_stream_is_what_the_caller_expects(case: Case) -> None:
    reply, client = case.must("reply.sse"), case.must("client.json")
    assert streams(case.spoken)
    facts, cost = case.spoken.read(client), case.cost
    for pieces in cuts(reply):
        watch = case.spoken.Watch(
            facts, PLAIN, show_usage=facts.usage_in_stream, cost=(lambda _: cost) if cost is not None else None
        )
        out = [watch.feed(piece) for piece in pieces]
        out.append(watch.finish())
        assert b"".join(out) + watch.ending == (case.read("expected.sse") or reply)
        assert (watch.usage.units if watch.usage else None) == case.facts["usage"]
        assert watch.done is case.facts.get("done", True)
        assert watch.finished is case.facts.get("finished", True)
        assert watch.content is case.facts.get("content", True)
        assert watch.empty is case.facts.get("empty", False)
        told = None if watch.error is None else case.spoken.read_error(0, watch.error).message
        assert told == case.facts.get("error")
        if watch.usage is None and "estimate" in case.facts:
            usage = case.spoken.estimate(client, watch)
            check_estimate(case, usage.units, estimated=usage.estimated)


def check_estimate(case: Case, units: dict[str, int], *, estimated: bool) -> None:
    """What was counted by ourselves lies in the range that the case names."""
    ranges: dict[str, list[int]] = case.facts.get("estimate", {})
    assert estimated is bool(ranges)
    for unit, (least, most) in ranges.items():
        assert least <= units[unit] <= most, (unit, units)


def test_every_case_has_an_answer_and_every_dialect_cases() -> None:
    assert len(STREAMS) + len(ANSWERS) == len(CASES)
    spoken = {case.folder.parent.name for case in CASES}
    assert {"openai_completions", "openai_embeddings", "openai_moderations"} <= spoken
