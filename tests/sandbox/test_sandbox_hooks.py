"""The receiver of callbacks, and the files that jobs make, over HTTP."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from sandbox_client import Sandbox
from standardwebhooks.webhooks import Webhook

from unigate.sandbox.media.files import Files
from unigate.sandbox.serving.files import _span

SECRET = "whsec_" + base64.b64encode(b"a secret of the sandbox").decode()


def kept(sandbox: Sandbox, name: str, **query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = sandbox.http.get(f"{sandbox.url}/sandbox/hooks/{name}", params=query).json()["data"]
    return found


def test_what_comes_is_kept(sandbox: Sandbox) -> None:
    address = f"{sandbox.url}/sandbox/hooks/kept"
    assert kept(sandbox, "kept") == []
    assert sandbox.http.post(address, json={"a": 1}, headers={"x-more": "yes"}).json() == {"received": 1}
    assert sandbox.http.post(address, content=b"\xff{").status_code == 200
    first, second = kept(sandbox, "kept")
    assert first["body"] == {"a": 1}
    assert ["x-more", "yes"] in first["headers"]
    assert first["at"] <= second["at"]
    assert (first["status"], first["signature"]) == (200, None)
    assert (second["body"], second["text"]) == (None, "\ufffd{")
    assert kept(sandbox, "other") == []
    sandbox.http.delete(address)
    assert kept(sandbox, "kept") == []


def test_what_comes_below_a_name_is_kept_with_its_path(sandbox: Sandbox) -> None:
    address = f"{sandbox.url}/sandbox/hooks/phone"
    assert sandbox.http.get(f"{address}/A%20title/words?group=x").json() == {"received": 1}
    assert sandbox.http.post(f"{address}/message?token=A1b2", json={"priority": 5}).json() == {"received": 2}
    bark, gotify = kept(sandbox, "phone")
    assert (bark["method"], bark["path"], bark["body"]) == ("GET", "/A title/words?group=x", None)
    assert (gotify["method"], gotify["path"], gotify["body"]) == ("POST", "/message?token=A1b2", {"priority": 5})


def test_clearing_all_forgets_it(own_sandbox: Sandbox) -> None:
    own_sandbox.http.post(f"{own_sandbox.url}/sandbox/hooks/a", json=1)
    own_sandbox.http.delete(f"{own_sandbox.url}/sandbox")
    assert kept(own_sandbox, "a") == []


def test_it_fails_as_often_as_it_is_asked_to(sandbox: Sandbox) -> None:
    address = f"{sandbox.url}/sandbox/hooks/fails?fail=3"
    assert [sandbox.http.post(address, json=n).status_code for n in range(5)] == [500, 500, 500, 200, 200]
    assert [(one["body"], one["status"]) for one in kept(sandbox, "fails")] == [
        (0, 500),
        (1, 500),
        (2, 500),
        (3, 200),
        (4, 200),
    ]
    sandbox.http.delete(address)
    assert sandbox.http.post(address).status_code == 500, "it counts from the beginning again"


def test_redirects_and_other_answers(sandbox: Sandbox) -> None:
    address = f"{sandbox.url}/sandbox/hooks/elsewhere"
    answer = sandbox.http.post(address, params={"redirect": "http://127.0.0.1:1/x"})
    assert (answer.status_code, answer.headers["location"]) == (302, "http://127.0.0.1:1/x")
    assert sandbox.http.post(address, params={"status": "410"}).status_code == 410
    assert sandbox.http.post(address, params={"fail": "often"}).status_code == 400


def test_signatures(sandbox: Sandbox) -> None:
    address = f"{sandbox.url}/sandbox/hooks/signed"
    at = datetime.now(UTC)
    body = json.dumps({"type": "balance.low"})
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(int(at.timestamp()))}
    good = Webhook(SECRET).sign("msg_1", at, body)
    for signature in (good, f"v1,AAAA {good}", "v1,AAAA", "v2"):
        sandbox.http.post(address, content=body, headers={**headers, "webhook-signature": signature})
    sandbox.http.post(address, content=body)
    told = [one["signature"] for one in kept(sandbox, "signed", secret=SECRET)]
    assert told == ["valid", "valid", "invalid", "invalid", "missing"]
    other = "whsec_" + base64.b64encode(b"another").decode()
    assert kept(sandbox, "signed", secret=other)[0]["signature"] == "invalid"
    assert kept(sandbox, "signed", secret="%")[0]["signature"] == "invalid"


def test_files_have_a_limit() -> None:
    files = Files(100)
    first, second = files.put(b"x" * 60, "png"), files.put(b"y" * 40, "mp4")
    assert files.get(first.id) is first
    assert second.media_type == "video/mp4"
    third = files.put(b"z", "txt")
    assert files.get(first.id) is None, "the oldest goes"
    assert files.get(second.id) is second
    files.drop(second.id)
    files.put(b"w" * 99, "bin")
    assert files.get(third.id) is third
    assert files.get(files.put(b"x" * 101, "png").id) is None
    with pytest.raises(ValueError, match="exe"):
        files.put(b"", "exe")


@pytest.mark.parametrize(
    ("asked", "span"),
    [
        ("bytes=0-9", (0, 9)),
        ("bytes=5-", (5, 99)),
        ("bytes=-10", (90, 99)),
        ("bytes=-200", (0, 99)),
        ("bytes=200-", (200, 99)),
        ("bytes=-0", (100, 100)),
        ("bytes=-", None),
        ("bytes=9-5", None),
        ("bytes=0-1,5-6", None),
        ("pages=1-2", None),
    ],
)
def test_ranges(asked: str, span: tuple[int, int] | None) -> None:
    assert _span(asked, 100) == span


def test_no_such_file(sandbox: Sandbox) -> None:
    assert sandbox.http.get(f"{sandbox.url}/sandbox/files/unknown.png").status_code == 404
