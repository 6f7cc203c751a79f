"""Cases of reranking and embedding by each provider, in callers' forms and vendors': files, and no code.

`cases/translated/<provider>/<name>.json`: `operation`, `client` (the caller's body), `model` (upstream name), `upstream` (what the
vendor must get; absent: the same), `target`, `shown` (headers by which it knows us), `options` (of the channel), `ignored`; `reply` (what it answers), `status` (200), `means` (what an error means);
`expected` (what the caller must get; absent: the same), `usage`, `estimated`, `price` (USD of so many units by unit), `cost` (nano-USD).
"""

import json
from pathlib import Path
from typing import Any

import pytest

from unigate.billing.prices import Prices
from unigate.dialects import dialect, operations
from unigate.providers import catalogue
from unigate.spec.caller import Group
from unigate.spec.price import Price, Rate
from unigate.spec.provider import Credential

CASES = sorted((Path(__file__).parent / "cases" / "translated").glob("*/*.json"))
ROWS = {row.name: row for row in operations()}
NANO = 1_000_000_000
GROUP = Group(id="g", name="g", multiplier=1_000_000)
ID = "req_of_the_case"


def load(path: Path) -> dict[str, Any]:
    case: dict[str, Any] = json.loads(path.read_text())
    return case


def named(path: Path) -> str:
    return f"{path.parent.name}-{path.stem}"


@pytest.mark.parametrize("path", CASES, ids=named)
def test_the_vendor_is_asked_as_it_wants(path: Path) -> None:
    case, provider = load(path), catalogue()[path.parent.name]
    row = ROWS[case["operation"]]
    assert provider.serves(row)
    spoken = dialect(row.dialect)
    client = json.dumps(case["client"]).encode()
    facts = spoken.read(client)
    body = spoken.edit(client, facts, spoken.Edits(model=case.get("model", facts.model)))
    body, ignored = provider.adjust_request(body, {})
    translation = provider.translations.get(row.name)
    if translation is not None:
        body, unsaid = translation.request(body, {})
        ignored += unsaid
    assert json.loads(body) == case.get("upstream", case["client"])
    assert list(ignored) == case.get("ignored", [])
    options = case.get("options", {})
    made = provider.request(row.upstream_path, row.name, facts.model, Credential("crd_1", "sk-1"), options)
    assert made.target == case["target"]
    headers = {name.decode(): value.decode() for name, value in made.headers}
    assert headers.items() >= case.get("shown", {"authorization": "Bearer sk-1"}).items()


@pytest.mark.parametrize("path", CASES, ids=named)
def test_the_caller_gets_what_it_reads(path: Path) -> None:
    case, provider = load(path), catalogue()[path.parent.name]
    row = ROWS[case["operation"]]
    spoken = dialect(row.dialect)
    client = json.dumps(case["client"]).encode()
    reply = case["reply"].encode() if isinstance(case["reply"], str) else json.dumps(case["reply"]).encode()
    if case.get("status", 200) != 200:
        status, told = provider.adjust_error(case["status"], reply)
        assert status == case.get("means", case["status"])
        assert json.loads(spoken.pass_error(status, told)) == case["expected"]
        return
    translation = provider.translations.get(row.name)
    shown = reply if translation is None else translation.answer(reply, client, ID)
    assert json.loads(shown) == case.get("expected", case["reply"])
    seen = spoken.read_answer(shown, provider)
    assert not seen.empty
    usage = seen.usage or spoken.estimate(client, seen)
    assert (usage.units, usage.estimated) == (case["usage"], case.get("estimated", False))
    rates = {unit: Rate(round(usd * NANO), per) for unit, (usd, per) in case["price"].items()}
    quote = Prices([Price(id="p", model="m", rates=rates)]).quote(row.name, "m", GROUP, 0)
    assert quote.cost(usage, {})[0] == case["cost"]
    facts = spoken.read(client)
    held = quote.bound(spoken.input_bound(client, facts), 0, facts.conditions, facts.units)
    assert held >= case["cost"], "what is held covers it"


def test_every_provider_has_a_case_that_went_well_and_one_that_did_not() -> None:
    passed = {row.name for row in ROWS.values() if row.use == "passed"}  # has neither usage nor bounds
    vendors = {name for name, provider in catalogue().items() if provider.translations.keys() - passed}
    told = [(path.parent.name, load(path)) for path in CASES]
    assert {name for name, case in told if case.get("status", 200) == 200} == vendors
    assert {name for name, case in told if case.get("status", 200) != 200} == vendors
    reranked = {name for name, case in told if case["operation"] in {"rerank", "cohere.rerank"}}
    embedded = {name for name, case in told if case["operation"] in {"cohere.embed", "cohere.embed_v1"}}
    assert embedded >= {name for name in vendors if "cohere.embed" in catalogue()[name].translations}
    # But OpenAI's own: its channels have all models by `*`, so that Cohere's would go there, too.
    assert {n for n, one in catalogue().items() if "openai_embeddings" in one.speaks} - {"openai"} <= {
        n for n, one in catalogue().items() if "cohere.embed" in one.translations
    }, "whoever embeds is asked in Cohere's form too"
    assert reranked == {name for name in vendors if "rerank" in catalogue()[name].translations}
