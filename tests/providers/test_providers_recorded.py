"""Recorded cases of each provider: a folder of files, and no code.

`recordings/<provider>/<case>/`: `client.json` is what the caller sends, `upstream.json` what the provider must get (absent:
the same), `reply.json` or `reply.sse` what it answers, `expected.json` or `expected.sse` what the caller must get
(absent: the same bytes), `case.json` the facts to be found. Streams are fed whole and in every kind of cut.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.cuts import cuts
from unigate.dialects import openai_chat as chat
from unigate.dialects import private_usage
from unigate.providers import catalogue
from unigate.spec.facts import Facts
from unigate.spec.provider import Credential, Provider
from unigate.spec.usage import Usage

RECORDINGS = Path(__file__).parent / "recordings"
CREDENTIAL = Credential("crd_1", "sk-upstream")
OPERATION = chat.OPERATIONS[0]


@dataclass
class Case:
    folder: Path
    provider: Provider
    facts: dict[str, Any]

    def read(self, name: str) -> bytes | None:
        """A file's bytes, without the line end that a JSON file has last, in the case's line ends."""
        path = self.folder / name
        if not path.exists():
            return None
        data = path.read_bytes()
        if path.suffix == ".json":
            return data.removesuffix(b"\n")
        return data.replace(b"\n", self.facts.get("line_end", "\n").encode())

    @property
    def client(self) -> bytes:
        body = self.read("client.json")
        assert body is not None
        return body

    def cost(self, usage: Usage) -> str:
        assert usage.units == self.facts["usage"] or "every" in self.folder.name
        return str(self.facts["cost"])


def load(folder: Path) -> Case:
    facts = json.loads((folder / "case.json").read_text())
    return Case(folder, catalogue()[folder.parent.name], facts)


def named(case: Case) -> str:
    return f"{case.folder.parent.name}-{case.folder.name}"


CASES = [load(path.parent) for path in sorted(RECORDINGS.glob("*/*/case.json"))]
STREAMS = [case for case in CASES if case.read("reply.sse") is not None]
ANSWERS = [case for case in CASES if case.read("reply.json") is not None]
UNTOUCHED = [case for case in STREAMS if case.read("expected.sse") is None]


@pytest.mark.parametrize("case", CASES, ids=named)
def test_the_request_is_what_the_provider_expects(case: Case) -> None:
    facts = chat.read(case.client)
    provider, options = case.provider, case.facts.get("options", {})
    edits = chat.Edits(model=case.facts["model"], ask_usage=provider.stream_options)
    body, ignored = provider.adjust_request(chat.edit(case.client, facts, edits), options)
    expected = case.read("upstream.json")
    if expected is not None or not facts.stream:
        assert body == (expected or case.client)
    assert list(ignored) == case.facts.get("ignored", [])
    assert facts.count == case.facts.get("count", 1)
    assert facts.output_limit == case.facts.get("limit")
    assert facts.conditions == case.facts.get("conditions", {})
    if (wanted := case.facts.get("request")) is not None:
        request = provider.request(OPERATION.upstream_path, OPERATION.name, case.facts["model"], CREDENTIAL, options)
        assert request.method == "POST"
        assert request.target == wanted["target"]
        assert {n.decode(): v.decode() for n, v in request.headers} == wanted["headers"]


@pytest.mark.parametrize("case", ANSWERS, ids=named)
def test_the_answer_is_what_the_caller_expects(case: Case) -> None:
    reply = case.read("reply.json")
    assert reply is not None
    expected = case.read("expected.json")
    if "status" in case.facts:
        status, body = case.provider.adjust_error(case.facts["status"], reply)
        assert status == case.facts.get("means", case.facts["status"])
        passed = chat.pass_error(status, body)
        assert passed == (expected or reply)
        assert json.loads(passed)["error"]["message"] == chat.read_error(status, body).message
        return
    seen = chat.read_answer(reply, case.provider)
    assert (seen.usage.units if seen.usage else None) == case.facts["usage"]
    assert seen.empty is case.facts.get("empty", False)
    assert seen.service_tier == case.facts.get("tier", "default")
    shown = private_usage.hidden(reply, case.provider.private_usage)
    if "cost" in case.facts:
        assert seen.usage is not None
        shown = chat.add_cost(shown, case.cost(seen.usage))
    assert shown == (expected or reply)
    check_estimate(case, seen)


@pytest.mark.parametrize("case", STREAMS, ids=named)
def test_the_stream_is_what_the_caller_expects(case: Case) -> None:
    reply = case.read("reply.sse")
    assert reply is not None
    expected = case.read("expected.sse")
    if expected is None:
        expected = reply
    facts = chat.read(case.client)
    for pieces in cuts(reply):
        watch = make_watch(case, facts)
        out = [watch.feed(piece) for piece in pieces]
        out.append(watch.finish())
        assert b"".join(out) + watch.ending == expected
        assert b"[DONE]" not in b"".join(out)
        assert (watch.usage.units if watch.usage else None) == case.facts["usage"]
        assert watch.done is case.facts.get("done", False)
        assert watch.content is case.facts.get("content", True)
        assert watch.service_tier == case.facts.get("tier", "default")
        assert watch.empty is case.facts.get("empty", False)
        if "finished" in case.facts:
            assert watch.finished is case.facts["finished"]
        if "ending" in case.facts:
            assert watch.ending == case.facts["ending"].encode()
        told = None if watch.error is None else chat.read_error(0, watch.error).message if watch.error else ""
        assert told == case.facts.get("error")
        check_estimate(case, watch)


@pytest.mark.parametrize("case", UNTOUCHED, ids=named)
def test_a_stream_that_needs_no_change_passes_as_the_same_pieces(case: Case) -> None:
    reply = case.read("reply.sse")
    assert reply is not None
    watch = make_watch(case, chat.read(case.client))
    end = case.facts.get("line_end", "\n").encode() * 2
    events = [event + end for event in reply.split(end)[:-1]]
    for event in events:
        passed = watch.feed(event)
        assert passed is event or event in watch.ending


def make_watch(case: Case, facts: Facts) -> chat.Watch:
    cost = case.cost if "cost" in case.facts else None
    return chat.Watch(facts, case.provider, show_usage=facts.usage_in_stream, cost=cost)


def check_estimate(case: Case, seen: chat.Seen | chat.Watch) -> None:
    """What was counted by ourselves lies in the range that the case names."""
    ranges = case.facts.get("estimate", {})
    if ranges:
        usage = chat.estimate(case.client, seen)
        assert usage.estimated
        for unit, (least, most) in ranges.items():
            assert least <= usage.units[unit] <= most


def test_every_case_has_an_answer_and_every_provider_a_case() -> None:
    assert len(STREAMS) + len(ANSWERS) == len(CASES)
    assert {case.provider.name for case in CASES} == {
        name for name, each in catalogue().items() if "openai_chat" in each.speaks
    }
