"""No secret and no prompt shows: not in logs, figures, error bodies, nor in any file but the operator's own."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

import support.failing_gateway
from support.stage import Caller, Stage, body, set_stage
from support.world import Process

CREDENTIAL = "sk-upstream-Zq7Vn0dRkk2"
CALLERS = "sk-caller-Wb3Xm9tLpp5"
WRONG = "sk-wrongly-Ty6Ue1sGhh8"
PROMPT = "the heron counts amber lanterns"
ANSWER = "seven violet kites"
PASSWORD = "correct-horse-Jf4Kc2"
HEADER = "team-header-Nd8Pa6"
SECRET = "e2e-secret-e2e-secret-e2e"

CONFIG = f"""
channels:
  - name: main
    provider: openai
    base_url: SANDBOX/openai/v1
    credentials: {CREDENTIAL}
    models: {{gpt-4o-mini: gpt-4o-mini}}
    options: {{headers: {{x-team: {HEADER}}}}}
  - {{name: sound, provider: openai, base_url: SANDBOX/openai/v1, credentials: {CREDENTIAL}, models: {{explode: gpt-4o}}}}
  - name: refused
    provider: openai
    base_url: SANDBOX/fault/401/openai/v1
    credentials: {CREDENTIAL}-invalid
    models: {{refused: gpt-4o-mini}}
  - name: nowhere
    provider: openai
    base_url: http://127.0.0.1:9/v1
    credentials: {CREDENTIAL}
    models: {{unreachable: gpt-4o-mini}}
prices: [{{model: "*", input: 1, output: 1}}]
users: [{{name: alice, email: alice@example.com, password: {PASSWORD}, role: operator, credit: 100}}]
keys: [{{name: app, user: alice, secret: {CALLERS}}}]
"""
FAULTS = ("400", "404", "malformed-chunk:1", "html,502", "500", "429", "401")
TEXT = f"{PROMPT} [[reply:{ANSWER}]]"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, vendors: Process) -> Iterator[Stage]:
    """A gateway with a fault of its own: the model `explode` hits a mistake in the code."""
    home = tmp_path_factory.mktemp("secrets")
    program = Path(support.failing_gateway.__file__)
    built = set_stage(home, vendors, CONFIG, key=CALLERS, program=program)
    yield built
    built.stop()


def run_everything(stage: Stage) -> list[bytes]:
    """Calls that go well and calls that fail in each way; all heads and bodies but those of good answers."""
    good = [
        stage.post(body(TEXT)),
        stage.post(body(TEXT, stream=True)),
        httpx.get(stage.base + "/models", headers={"authorization": f"Bearer {CALLERS}"}),
    ]
    assert [reply.status_code for reply in good] == [200, 200, 200]
    assert ANSWER in good[0].text
    with Caller(stage, body(f"{TEXT} [[pace:20]] [[tokens:400]]", stream=True)) as caller:
        caller.until(b'"content"', 2)
    stage.row(caller.call_id)
    plain = {"authorization": f"Bearer {CALLERS}"}
    failed = [
        stage.post(body(f"{TEXT} [[fault:cut-after:3]]", stream=True)),
        *(stage.post(body(f"{TEXT} [[fault:{fault}]]")) for fault in FAULTS),
        *(stage.post(body(TEXT, model=model)) for model in ("refused", "unreachable", "none", "explode")),
        stage.post(body(TEXT, model="explode", stream=True)),
        stage.post(body(TEXT), key=WRONG),
        stage.post(json.dumps(body(TEXT)).encode()[:-1]),
        stage.post(body(TEXT, n=PROMPT)),
        httpx.post(stage.base + f"/chat/completions?key={WRONG}", json=body(TEXT)),
        httpx.post(stage.base + "/no/such", json=body(TEXT), headers=plain),
        httpx.request("BREW", stage.base + "/chat/completions", content=PROMPT, headers=plain),
    ]
    exploded = [reply for reply in failed if reply.status_code == 500]
    assert len(exploded) == 2, "the mistake was hit"
    for reply in exploded:
        assert reply.json()["error"]["code"] == "internal_error"
        assert reply.headers["x-request-id"].startswith("req_")
    seen = [str(dict(reply.headers)).encode() for reply in (*good, *failed)]
    return seen + [reply.content for reply in failed]


def shown(text: bytes, *, but: tuple[str, ...] = ()) -> list[str]:
    """Which of the secrets stand in a text."""
    every = (CREDENTIAL, CALLERS, WRONG, PROMPT, ANSWER, PASSWORD, HEADER, SECRET)
    return [secret for secret in every if secret not in but and secret.encode() in text]


def test_nothing_shows(stage: Stage) -> None:
    for text in run_everything(stage):
        assert not shown(text, but=(ANSWER,)), text
        assert b"Traceback" not in text and b'File "' not in text
    assert not shown(httpx.get(stage.url + "/metrics").content)
    assert not shown(httpx.get(stage.url + "/readyz").content)
    for words in (
        ["doctor"],
        ["explain", "refused"],
        ["channel", "list"],
        ["channel", "show", "main"],
        ["key", "list"],
    ):
        code, out, err = stage.shell(*words)
        assert code in (0, 1) and not shown((out + err).encode()), (words, out, err)
    log = stage.process.log.read_bytes()
    assert b"ZeroDivisionError" in log, "the operator is told of the mistake"
    assert not shown(log), log
    files = [path for path in stage.data.rglob("*") if path.is_file()]
    assert any(path.name == "unigate.db" for path in files) and any(path.parent.name == "journal" for path in files)
    for path in files:
        assert not shown(path.read_bytes()), path
    stage.settled()
    stage.sound()
    assert stage.stop() == 0
    for path in (*stage.data.rglob("*"), stage.process.log):
        if path.is_file():
            assert not shown(path.read_bytes()), path
