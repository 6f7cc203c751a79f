"""Keys that are bound to addresses, and sessions, behind a reverse proxy that is trusted and before one that is not."""

from collections.abc import Iterator

import httpx
import pytest

from support.stage import MAIN, Stage, body, set_stage
from support.world import Process

USERS = """
users: [{name: alice, credit: 100, password: correct-horse-battery}]
keys: [{name: app, user: alice, secret: sk-app-0123456789, addresses: [203.0.113.0/24]}]
"""
HOME, SPOOFED = "203.0.113.9", "203.0.113.9, 198.51.100.7"


def gateway(tmp_path_factory: pytest.TempPathFactory, vendors: Process, trusted: str) -> Iterator[Stage]:
    """A gateway that trusts proxies of a network; the tests call from 127.0.0.1."""
    home = tmp_path_factory.mktemp("proxies")
    built = set_stage(home, vendors, MAIN + USERS, UNIGATE_SERVER__TRUSTED_PROXIES=trusted)
    yield built
    built.sound()
    assert built.stop() == 0


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory, vendors: Process) -> Iterator[Stage]:
    """A gateway behind a proxy on this machine."""
    yield from gateway(tmp_path_factory, vendors, "127.0.0.0/8")


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory, vendors: Process) -> Iterator[Stage]:
    """A gateway whose proxies are elsewhere."""
    yield from gateway(tmp_path_factory, vendors, "10.0.0.0/8, ::1")


def call(stage: Stage, address: str) -> tuple[int, int]:
    """Status of a chat and of a free call for a caller of an address."""
    said = {"x-forwarded-for": address}
    free = httpx.get(f"{stage.url}/v1/models", headers={**said, "authorization": f"Bearer {stage.key}"}, timeout=30)
    return stage.post(body("hi"), **said).status_code, free.status_code


def session_address(stage: Stage, address: str) -> str:
    """The address from which a session was opened, as its user is told."""
    with httpx.Client(base_url=stage.url, headers={"x-forwarded-for": address}, timeout=30) as client:
        login = {"name": "alice", "password": "correct-horse-battery"}
        token = client.post("/api/sessions", json=login).raise_for_status().json()["token"]
        shown = client.get("/api/sessions", headers={"authorization": f"Bearer {token}"}).raise_for_status().json()
    return str(next(one for one in shown["data"] if one["current"])["address"])


def test_the_address_that_a_trusted_proxy_tells_counts(behind: Stage) -> None:
    assert call(behind, HOME) == (200, 200)
    assert call(behind, SPOOFED) == (403, 403)
    assert call(behind, "unknown") == (403, 403)
    assert session_address(behind, SPOOFED) == "198.51.100.7"


def test_what_others_say_does_not(apart: Stage) -> None:
    assert call(apart, HOME) == (403, 403)
    assert session_address(apart, HOME) == "127.0.0.1"
