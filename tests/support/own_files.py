"""Files of users in tests: a stage for them, the official client, plain calls, and what lies on the disk."""

from pathlib import Path
from typing import Any

import httpx
from openai import OpenAI

from support.stage import MAIN, Stage
from support.world import World
from unigate.spec.operation import Operation

CHANNELS = (
    MAIN
    + """
settings:
  files: {file_bytes: 400000, groups: {small: {total_files: 3, total_bytes: 1000}}}
groups:
  - {name: small}
users:
  - {name: alice, credit: 1}
  - {name: bob, credit: 1}
  - {name: carol, group: small}
keys:
  - {name: app, user: alice, secret: sk-app-0123456789}
  - {name: again, user: alice, secret: sk-again-0123456789}
  - {name: bob, user: bob, secret: sk-bob-0123456789}
  - {name: carol, user: carol, secret: sk-carol-0123456789}
"""
)


def client(stage: Stage, key: str = "") -> OpenAI:
    """The official client at a stage, by its key unless told."""
    return OpenAI(api_key=key or stage.key, base_url=stage.base, max_retries=0)


def ask(stage: World, method: str, path: str, *, key: str = "", **more: Any) -> httpx.Response:
    """A plain call."""
    head = {"authorization": f"Bearer {key or stage.key}", **more.pop("headers", {})}
    return httpx.request(method, stage.url + path, headers=head, timeout=60, **more)


def refused(reply: httpx.Response, status: int) -> None:
    """It is an error as OpenAI's clients read it, and costs nothing."""
    assert reply.status_code == status, (reply.status_code, reply.text)
    assert set(reply.json()["error"]) == {"message", "type", "param", "code"}
    assert reply.headers["x-request-id"].startswith("req_")
    assert "x-unigate-cost" not in reply.headers


def kept(stage: Stage) -> list[Path]:
    """The files of users that lie on the disk, parts of uploads and half-written ones included."""
    return [path for path in (stage.data / "assets").rglob("*") if path.is_file()]


def places(stage: World, row: Operation) -> dict[str, str]:
    """What stands in the path of an operation that is about a file or an upload, which is made for it."""
    if "{id}" not in row.path:
        return {}
    if row.dialect == "openai_files":
        made = ask(stage, "POST", "/v1/files", files={"file": ("a.txt", b"hello")})
    else:
        told = {"bytes": 5, "filename": "a.txt", "mime_type": "text/plain", "purpose": "user_data"}
        made = ask(stage, "POST", "/v1/uploads", json=told)
    assert made.status_code == 200, made.text
    return {"id": made.json()["id"]}


def part(stage: World, upload_id: str) -> str:
    """The id of a part that makes an upload of `places` whole."""
    made = ask(stage, "POST", f"/v1/uploads/{upload_id}/parts", files={"data": ("a", b"hello")})
    assert made.status_code == 200, made.text
    return str(made.json()["id"])
