"""What providers keep for users, where something goes wrong: at the provider, with its answers, or because a caller leaves."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from support.kept_vendor import KeptVendor, kept_vendor
from support.own_files import ask, refused
from support.stage import Stage, set_stage
from support.world import Process

CONFIG = """
channels:
  - {name: main, provider: openai, base_url: "MAIN", credentials: sk-main, models: [base-1]}
prices:
  - {model: base-1, per_call: 0.5}
users:
  - {name: alice, credit: 10}
keys:
  - {name: app, user: alice, secret: sk-app-0123456789, scopes: [relay, platform]}
"""
CHAT = {"model": "base-1", "messages": [{"role": "user", "content": "Hello"}]}


@dataclass
class Places:
    """A gateway before a vendor."""

    stage: Stage
    main: KeptVendor

    def ask(self, method: str, path: str, *, key: str = "", **more: Any) -> httpx.Response:
        return ask(self.stage, method, f"/v1/{path}", key=key, **more)

    def made(self, root: str, key: str = "", **body: object) -> str:
        """The id of a thing that a user makes."""
        reply = self.ask("POST", root, key=key, json=body)
        assert reply.status_code == 200, reply.text
        return str(reply.json()["id"])


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory, vendors: Process) -> Iterator[Places]:
    with kept_vendor() as main:
        text = CONFIG.replace("MAIN", main.url)
        stage = set_stage(tmp_path_factory.mktemp("trouble"), vendors, text)
        yield Places(stage, main)
        stage.sound()
        stage.stop()


@pytest.mark.parametrize(("status", "told"), [(401, 503), (402, 503), (403, 503), (429, 429)])
def test_calls_of_models_go_on_where_the_provider_refuses_what_it_keeps(places: Places, status: int, told: int) -> None:
    made = places.made("evals")
    for method, path in (("POST", "evals"), ("GET", f"evals/{made}"), ("GET", "evals")):
        places.main.then = [status]
        reply = places.ask(method, path, json={} if method == "POST" else None)
        refused(reply, told)
        assert "No:" not in reply.text, "what the operator's credential may not concerns no caller"
        assert ("retry-after" in reply.headers) == (told == 429)
    assert places.ask("POST", "chat/completions", json=CHAT).status_code == 200
    assert places.ask("GET", f"evals/{made}").status_code == 200
    assert places.ask("DELETE", f"evals/{made}").status_code == 200
