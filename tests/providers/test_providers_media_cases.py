"""Recorded cases of sound and pictures by each provider: files, and no code. `cases/README.md` says what stands in them."""

import io
import json
from pathlib import Path
from typing import Any, cast

import pytest
from PIL import Image

from support.cuts import cuts
from support.sounds import silence
from unigate.billing.prices import Prices, Quote
from unigate.dialects import Dialect, RawDialect, StreamingDialect, dialect, meters, operations
from unigate.providers import catalogue
from unigate.spec.caller import Group
from unigate.spec.form import FilePart, Form, Part
from unigate.spec.price import Price, Rate
from unigate.spec.provider import Credential, Provider
from unigate.spec.usage import Usage
from unigate.store.spool import Spool

CASES = sorted((Path(__file__).parent / "cases" / "media").glob("*/*.json"))
ROWS = {row.name: row for row in operations()}
FAMILIES = {"speech", "transcriptions", "images"}
NANO = 1_000_000_000
GROUP = Group(id="g", name="g", multiplier=1_000_000)
#: Made at 1795291943 s.
ID = "req_01M7ZVT4J42ZSVZGW8H2MD03VT"
Told = dict[str, Any]


def named(path: Path) -> str:
    return f"{path.parent.name}-{path.stem}"


def load(path: Path) -> Told:
    case: Told = json.loads(path.read_text())
    return case


def content(told: Told) -> bytes:
    """A file's bytes: so many seconds of sound, a picture of a size, or a text."""
    if "seconds" in told:
        return silence(told["seconds"], 8000)
    if "picture" in told:
        out = io.BytesIO()
        Image.new("RGB", tuple(told["picture"]), "red").save(out, "PNG")
        return out.getvalue()
    return str(told.get("text", "")).encode()


def form_of(parts: list[list[Any]]) -> Form:
    """A form of `[name, value]`, of which a value may be a file."""
    made: list[Part | FilePart] = []
    for name, value in parts:
        if isinstance(value, str):
            made.append(Part(name=name, value=value.encode()))
            continue
        data, file = content(value), Spool().file()
        file.add(data)
        kind = value.get("type", "application/octet-stream")
        made.append(FilePart(name=name, filename=value["file"], media_type=kind, size=len(data), source=file))
    return Form(tuple(made))


def shown(body: bytes | Form) -> object:
    """What goes to the vendor, as a case tells it: of files their names."""
    if isinstance(body, bytes):
        return json.loads(body)
    return [[p.name, {"file": p.filename} if isinstance(p, FilePart) else p.value.decode()] for p in body.parts]


class Asked:
    """A case whose call was read and priced."""

    def __init__(self, path: Path) -> None:
        self.case = load(path)
        self.provider: Provider = catalogue()[path.parent.name]
        self.row = ROWS[self.case["operation"]]
        self.spoken: Dialect = dialect(self.row.dialect)
        client = self.case["client"]
        self.client: Any = form_of(client) if isinstance(client, list) else json.dumps(client).encode()
        self.facts = self.spoken.read(self.client)
        if meters(self.spoken) and isinstance(self.client, Form):
            self.spoken.measure(self.client, self.facts)
        self.facts.charged = self.quote().charged

    def quote(self) -> Quote:
        rates = {unit: Rate(round(usd * NANO), per) for unit, (usd, per) in self.case.get("price", {}).items()}
        return Prices([Price(id="p", model="*", rates=rates)]).quote(self.row.name, "m", GROUP, 0)

    def check(self, told: Usage | None, seen: Any) -> None:
        """Units and money of an answer, and that what was held covers them."""
        spoken, case = self.spoken, self.case
        usage = spoken.used(self.facts, told, seen) if meters(spoken) else told or spoken.estimate(self.client, seen)
        assert (dict(usage.units), usage.estimated) == (case["usage"], case.get("estimated", False))
        conditions = {**self.facts.conditions, **getattr(seen, "conditions", {})}
        assert conditions == case.get("conditions", {})
        assert self.quote().cost(usage, conditions)[0] == case["cost"]
        facts = self.facts
        output = (facts.output_limit or 0) * facts.count
        most = spoken.input_bound(self.client, facts)
        assert self.quote().bound(most, output, facts.conditions, facts.units) >= case["cost"]


def event(told: Told | str) -> bytes:
    """An event, with a name where it has a type."""
    if isinstance(told, str):
        return f"data: {told}\n\n".encode()
    name = f"event: {told['type']}\n" if "type" in told else ""
    return f"{name}data: {json.dumps(told)}\n\n".encode()


def cases(*members: str) -> pytest.MarkDecorator:
    """Those that have one of these members."""
    found = [path for path in CASES if any(member in load(path) for member in members)]
    assert found
    return pytest.mark.parametrize("path", found, ids=named)


@cases("target")
def test_the_vendor_is_asked_as_it_wants(path: Path) -> None:
    one = Asked(path)
    case, provider, options = one.case, one.provider, one.case.get("options", {})
    assert provider.serves(one.row)
    model = case.get("model", one.facts.model)
    refused = provider.refuses.get(one.row.name)
    dropped = refused.of(one.facts.optional, model) if refused is not None else ()
    edits = one.spoken.Edits(model=model, ask_usage=one.facts.stream and provider.stream_options, drop=dropped)
    body: Any = one.spoken.edit(one.client, one.facts, edits)
    if isinstance(body, Form):
        body, ignored = provider.adjust_form(body, options)
    else:
        body, ignored = provider.adjust_request(body, options)
        if (translation := provider.translations.get(one.row.name)) is not None:
            body, unsaid = translation.request(body, options)
            ignored += unsaid
    client = case["client"]
    wanted = case.get("upstream", shown(form_of(client)) if isinstance(client, list) else client)
    assert shown(body) == wanted
    assert [*ignored, *dropped] == case.get("ignored", [])
    made = provider.request(one.row.upstream_path, one.row.name, model, Credential("crd_1", "sk-1"), options)
    assert made.target == case["target"]


@cases("reply")
def test_an_answer_is_what_the_caller_reads(path: Path) -> None:
    one = Asked(path)
    case = one.case
    reply = case["reply"].encode() if isinstance(case["reply"], str) else json.dumps(case["reply"]).encode()
    if case.get("status", 200) != 200:
        status, told = one.provider.adjust_error(case["status"], reply)
        assert status == case.get("means", case["status"])
        assert json.loads(one.spoken.pass_error(status, told)) == case.get("expected", case["reply"])
        return
    translation = one.provider.translations.get(one.row.name)
    passed = reply if translation is None else translation.answer(reply, one.client, ID)
    if isinstance(case["reply"], str):
        assert passed == reply
    else:
        assert json.loads(passed) == case.get("expected", case["reply"])
    seen: Any = one.spoken.read_answer(passed, one.provider)
    assert seen.empty is case.get("empty", False)
    if not seen.empty:
        one.check(seen.usage, seen)


@cases("events")
def test_a_stream_is_what_the_caller_reads(path: Path) -> None:
    case = load(path)
    events = [event(told) for told in case["events"]]
    for pieces in cuts(b"".join(events)):
        one = Asked(path)
        watch = cast(StreamingDialect, one.spoken).Watch(one.facts, one.provider, show_usage=False, cost=None)
        out = b"".join([*map(watch.feed, pieces), watch.finish()])
        error = None if watch.error is None else one.spoken.read_error(0, watch.error).message
        assert error == case.get("error")
        assert out + watch.ending == b"".join(events if error is None else events[:-1])
        assert watch.done is case.get("done", True) and watch.content is case.get("content", True)
        one.check(watch.usage, watch)


@cases("sound")
def test_sound_is_counted_as_it_passes(path: Path) -> None:
    one = Asked(path)
    case, data = one.case, content(one.case["sound"])
    watch = cast(RawDialect, one.spoken).Raw(one.facts, one.provider, case["type"].encode())
    file = Spool().file()
    for at in range(0, len(data), 1000):
        file.add(piece := watch.feed(data[at : at + 1000]))
        assert piece == data[at : at + 1000]
    if not case.get("broken", False):
        watch.finish()
    assert watch.measure is not None
    one.check(watch.measure(file), watch)


def test_every_provider_of_sound_and_pictures_has_a_case_of_each_operation() -> None:
    speaks = {
        (name, row.name)
        for name, provider in catalogue().items()
        for row in ROWS.values()
        if row.family in FAMILIES and row.use == "relay" and provider.serves(row)
    }
    told = [(path.parent.name, load(path)) for path in CASES]
    assert speaks == {(name, case["operation"]) for name, case in told if case.get("status", 200) == 200}
    assert {name for name, _ in speaks} == {name for name, case in told if case.get("status", 200) != 200}
