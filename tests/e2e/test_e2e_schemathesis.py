"""schemathesis against a running gateway: no failure of the server, no answer that the document does not tell of.

It makes calls out of the document, good ones and bad ones, from a fixed seed. Two things are made narrower before: models
are those of the examples, since any other name ends at the price, and a provider's refusals are not allowed any status.
"""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import support.patient_gateway
from support import explorer
from support.stage import MAIN, Stage, set_stage
from support.world import Process

USERS = """
users: [{name: alice, role: owner, credit: 1000}]
keys: [{name: app, user: alice, secret: sk-app-0123456789, scopes: [relay, platform, manage]}]
"""
MAKERS = """
storage: {keep: false}
channels:
  - {name: main, provider: openai, base_url: SANDBOX/openai/v1, credentials: sk-upstream-main, models: "*"}
  - {name: mj, provider: midjourney_proxy, base_url: SANDBOX/midjourney, credentials: sk-mj-explored, models: [midjourney]}
  - {name: replicate, provider: replicate, base_url: SANDBOX/replicate/v1, credentials: r8_unigate, models: "*"}
  - {name: suno, provider: suno_relay, base_url: SANDBOX/suno, credentials: sk-suno-explored, models: [suno]}
  - {name: luma, provider: luma, base_url: SANDBOX/luma/dream-machine/v1, credentials: luma-explored, models: [ray-2, photon-1]}
  - {name: udio, provider: udio_relay, base_url: SANDBOX/udio, credentials: udio-explored, models: [udio32-v1.5]}
settings: {tasks: {poll_scale: 0.05}}
"""
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
)
PATIENT = Path(support.patient_gateway.__file__)
_NAMED = re.compile(r'"#/components/(\w+)/([^"]+)"')
#: Calls made up for each operation, beside the examples and the borders of what a schema allows.
CALLS = 5
#: The same where each good one makes a task.
FEW = 3

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def stage(
    tmp_path_factory: pytest.TempPathFactory, vendors: Process, module_postgres_urls: Callable[[], str]
) -> Iterator[Stage]:
    """A gateway with all models of the sandbox. A 503 of a store that takes too long is right."""
    home, url = tmp_path_factory.mktemp("schemathesis"), module_postgres_urls()
    built = set_stage(home, vendors, MAIN + USERS, database=url, program=PATIENT)
    yield built
    built.stop()


@pytest.fixture(scope="module")
def making(
    tmp_path_factory: pytest.TempPathFactory, quick_vendors: Process, module_postgres_urls: Callable[[], str]
) -> Iterator[Stage]:
    """A gateway whose tasks are done at once and whose files stay where they are made."""
    home, url = tmp_path_factory.mktemp("making"), module_postgres_urls()
    built = set_stage(home, quick_vendors, MAKERS + USERS, database=url, program=PATIENT)
    yield built
    built.stop()


def narrowed(document: dict[str, Any]) -> dict[str, Any]:
    """The document with models that are served, and no status left open."""
    for item in document["paths"].values():
        for operation in item.values():
            operation["responses"].pop("4XX", None)
            for body in operation.get("requestBody", {}).get("content", {}).values():
                models = {example["value"].get("model") for example in body.get("examples", {}).values()} - {None}
                if models:
                    told = body["schema"]
                    named = told.get("$ref", "").rpartition("/")[2]
                    schema = document["components"]["schemas"][named] if named else told
                    schema["properties"]["model"] = {"enum": sorted(models)}
    return document


def part_of(document: dict[str, Any], pattern: str) -> dict[str, Any]:
    """The operations whose path fits, with the components that they name: the whole takes seconds to read."""
    paths = {path: item for path, item in document["paths"].items() if re.search(pattern, path)}
    kept: dict[str, dict[str, Any]] = {}
    found = json.dumps(paths)
    while named := {(kind, name) for kind, name in _NAMED.findall(found) if name not in kept.get(kind, {})}:
        for kind, name in named:
            kept.setdefault(kind, {})[name] = document["components"][kind][name]
        found = json.dumps([kept[kind][name] for kind, name in named])
    kept["securitySchemes"] = document["components"]["securitySchemes"]
    return {**document, "paths": paths, "components": kept}


def explore(
    stage: Stage, home: Path, pattern: str, *, phases: str = "examples,coverage,fuzzing", calls: int = CALLS
) -> None:
    """Run schemathesis on the operations whose path fits."""
    document = narrowed(httpx.get(f"{stage.url}/openapi.json", timeout=60).json())
    # It goes to whatever address a channel was given here, where nobody answers: 502 is right.
    document["paths"].pop("/api/channels/{channel}/models", None)
    (home / "openapi.json").write_text(json.dumps(part_of(document, pattern)))
    words = ["run", "openapi.json", "--url", stage.url]
    words += ["--header", f"Authorization: Bearer {stage.key}", "--checks", ",".join(CHECKS)]
    words += ["--phases", phases, "--max-examples", str(calls), "--seed", "4", "--no-shrink"]
    words += ["--request-timeout", "20", "--warnings", "off", "--suppress-health-check", "all", "--continue-on-failure"]
    code, printed = explorer.explore(words, home, seconds=280)
    assert code == 0, printed[-14000:]
    tested = re.search(r"(\d+) generated", printed)
    assert tested is not None and int(tested[1]) > calls, printed


#: Paths by what they begin with, each part a run of its own.
PARTS = {
    "chat": "^/v1/chat/",
    "texts": "^/v1/(completions|embeddings|moderations)$",
    "responses": "^/v1/responses",
    "rerank": "^/v[12]/(rerank|embed)$",
    "audio": "^/v1/audio/",
    "tasks": "^/v1/tasks|^/callbacks/",
    "files": "^/v1/(files|uploads|batches)",
    "others": "^/v1/(models|billing)|^(/v1)?/dashboard/|^/[a-z.]+$",
}
MANAGEMENT = "^/api(/|$)"
#: What makes tasks: a few calls for each operation, not the borders of each field, which are tried by hand in files of
#: their own; these would be thousands of calls, and each good one is a picture, or a
#: thing that a vendor keeps.
MAKING = {
    "midjourney": r"^/(\{mode\}/)?mj/",
    "replicate": "^/replicate/|^/v1/images/",
    "suno": "^/suno/",
    "luma": "^/luma/",
    "udio": "^/udio/",
    "kept": "^/v1/(vector_stores|conversations|containers|evals|fine_tuning)",
}
#: Sessions: tests of their own send what no generator would.
BY_HAND = "^/v1/realtime(/|$)"
#: The same operations under other names.
AGAIN = "^/suno(api|i)/|^/dream-machine/|^/pro/luma/"


def test_every_path_is_explored(stage: Stage) -> None:
    every = (*PARTS.values(), *MAKING.values(), MANAGEMENT, BY_HAND, AGAIN)
    for path in httpx.get(f"{stage.url}/openapi.json", timeout=60).json()["paths"]:
        assert sum(re.search(part, path) is not None for part in every) == 1, path


def served(stage: Stage, pattern: str) -> bool:
    """Whether there is something to explore."""
    return any(re.search(pattern, path) for path in httpx.get(f"{stage.url}/openapi.json", timeout=60).json()["paths"])


@pytest.mark.parametrize("part", PARTS)
def test_nothing_unexpected(stage: Stage, tmp_path: Path, part: str) -> None:
    if not served(stage, PARTS[part]):
        pytest.skip("not served")
    explore(stage, tmp_path, PARTS[part])
    assert stage.chat().status_code == 200, "the gateway still serves calls"
    stage.settled()
    stage.sound()


@pytest.mark.parametrize("part", MAKING)
def test_nothing_unexpected_of_what_makes_tasks(making: Stage, tmp_path: Path, part: str) -> None:
    """Their ends are not waited for: that all tasks end, and are charged once, is shown elsewhere."""
    explore(making, tmp_path, MAKING[part], phases="examples,fuzzing", calls=FEW)
    assert making.chat().status_code == 200, "the gateway still serves calls"
    making.sound()


def test_nothing_unexpected_of_the_management(tmp_path: Path, vendors: Process) -> None:
    """On a gateway of its own: an owner may take anybody's money and keys away, and makes use of it."""
    stage = set_stage(tmp_path, vendors, MAIN + USERS)
    try:
        if not served(stage, MANAGEMENT):
            pytest.skip("not served")
        explore(stage, tmp_path, MANAGEMENT)
        assert httpx.get(f"{stage.url}/readyz").status_code == 200
        stage.sound()
    finally:
        stage.stop()
