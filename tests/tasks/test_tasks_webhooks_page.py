"""The receivers of docs/webhooks.md: they run, take what is really signed, and nothing else."""

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from hooks_kit import SECRETS, USER, delivering, ended, letter, put, quick, tries

from support.receivers import LANGUAGES, running
from support.tree import ROOT
from unigate.base.clock import now_ms
from unigate.store.database import Database
from unigate.tasks.notices import event_body
from unigate.tasks.signing import new_secret, sign

PAGE = (ROOT / "docs" / "webhooks.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_receiver_takes_what_is_genuine(
    tmp_path: Path, language: str, sqlite_url: str, opening: Callable[..., Database]
) -> None:
    [secret] = SECRETS.of_user(USER)
    with running(PAGE, language, tmp_path, WEBHOOK_SECRET=secret) as receiver:
        database = opening(sqlite_url)
        body = event_body("task.succeeded", '{"id":"task_1","text":"世界"}'.encode())
        async with delivering(database, quick(tries=(0.0,))):
            ids = await put(
                database, letter(receiver.url, body=body), letter(receiver.url, body=body, user_id="usr_other")
            )
            states = [row.state for row in await ended(database, ids)]
        assert states == ["delivered", "failed"]
        assert [(await tries(database, id))[0].status for id in ids] == [204, 401]
        id, said = receiver.said().split(" ", 1)
        assert id == ids[0] and "task.succeeded" in said
        now = now_ms() // 1000
        genuine = dict(sign(secret, "msg_1", now, body))
        for signature, said_of, status in (
            (genuine, body, 204),
            (dict(sign((new_secret(), secret), "msg_1", now, body)), body, 204),
            (dict(sign(secret, "msg_1", now - 301, body)), body, 401),
            (dict(sign(secret, "msg_1", now + 400, body)), body, 401),
            (genuine, body + b" ", 401),
            ({**genuine, b"webhook-id": b"msg_2"}, body, 401),
            ({**genuine, b"webhook-signature": "v1,é".encode()}, body, 401),
            ({**genuine, b"webhook-signature": b""}, body, 401),
            ({**genuine, b"webhook-timestamp": b"now"}, body, 401),
            ({}, body, 401),
        ):
            async with httpx.AsyncClient() as client:
                reply = await client.post(receiver.url, content=said_of, headers=list(signature.items()))
                assert reply.status_code == status, signature
