"""Recorded cases of what providers are asked beside tasks, each a file and no code: see `cases/README.md`."""

import json
from pathlib import Path
from typing import Any

import pytest

from support.task_cases import answered, differences, value_of
from unigate.base.errors import GatewayError, UpstreamRefused
from unigate.dialects import operations, writer
from unigate.providers import catalogue
from unigate.relay import passing_words
from unigate.relay.rendering import render
from unigate.spec.operation import Operation
from unigate.spec.provider import Credential, Provider

CASES = Path(__file__).parent / "cases" / "things"
PATHS = sorted(CASES.glob("*/*.json"))
ROWS = {row.name: row for row in operations() if row.dialect == "suno_things"}
#: Operations whose answer may not hold yet what was asked for.
WAIT = {"suno.uploads.get", "suno.act.wav", "suno.act.mp4", "suno.act.midi", "suno.act.stems"}
_GOOD = range(200, 300)


def check(wanted: object, found: object) -> None:
    assert differences(wanted, found) == []


def refused(row: Operation, told: dict[str, Any], error: GatewayError) -> None:
    """What the caller reads of an error."""
    status, _, body = render(error, "req_1", writer(row.dialect))
    assert (told["end"], status) == ("refused", told["reply"]["status"])
    check(told["reply"]["body"], value_of(body))


def good(provider: Provider, row: Operation, told: dict[str, Any]) -> bytes:
    """The provider's answer once it is known to be good; UpstreamRefused."""
    answer = answered(told["answer"])
    if answer.status not in _GOOD:
        raise UpstreamRefused(*provider.adjust_error(answer.status, answer.body))
    translation = provider.translations.get(row.name)
    body = answer.body if translation is None else translation.answer(answer.body, b"", "req_1")
    passing_words.check(row, body)
    return body


@pytest.mark.parametrize("path", PATHS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_case(path: Path) -> None:
    told = json.loads(path.read_text())
    provider, row = catalogue()[path.parent.name], ROWS[told["operation"]]
    assert provider.serves(row) and told["end"] in ("made", "pending", "refused")
    if row.body != "none":
        try:
            value = passing_words.read_body(json.dumps(told.get("body", {})).encode(), row)
        except GatewayError as error:
            assert "answer" not in told, "it is to be refused before anything is sent"
            refused(row, told, error)
            return
        check(told.get("named", []), [list(one) for one in passing_words.named(row, value)])
    credential = Credential("crd_1", "sk-upstream")
    sent = provider.request(
        row.upstream_path, row.name, "suno", credential, {}, method=row.method, values={"id": "thing/1"}
    )
    assert (sent.method, sent.target) == (row.method, told["sent"])
    try:
        body = good(provider, row, told)
    except UpstreamRefused as error:
        refused(row, told, error)
        return
    assert passing_words.delivers(row, body) is told.get("delivers", told["end"] == "made")
    check(told.get("made", []), [[made.kind, made.id] for made in passing_words.made(row, body)])
    check(told["reply"]["body"], value_of(passing_words.shown(row, body)))


@pytest.mark.parametrize("name", sorted(ROWS))
def test_each_operation_has_a_case_of_each_end(name: str) -> None:
    found = [json.loads(path.read_text()) for path in PATHS if path.parent.name == "suno_relay"]
    ends = {told["end"] for told in found if told["operation"] == name}
    assert ends >= {"made", "refused"} | ({"pending"} if name in WAIT else set())
