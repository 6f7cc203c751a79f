"""The receivers of docs/webhooks.md: they run, take what is really signed, and nothing else."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from hooks_kit import SECRETS, USER, delivering, ended, letter, put, quick, tries

from support.node import bare
from support.tree import ROOT
from unigate.base.clock import now_ms
from unigate.store.database import Database
from unigate.tasks.notices import event_body
from unigate.tasks.signing import new_secret, sign

PAGE = (ROOT / "docs" / "webhooks.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    [found] = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


@pytest.mark.parametrize(("language", "name"), [("python", "receiver.py"), ("js", "receiver.mjs")])
async def test_a_receiver_takes_what_is_genuine(
    tmp_path: Path, language: str, name: str, sqlite_url: str, opening: Callable[..., Database]
) -> None:
    path = tmp_path / name
    path.write_text(block(language), encoding="utf-8")
    command = [sys.executable if language == "python" else bare(), str(path)]
    [secret] = SECRETS.of_user(USER)
    running = subprocess.Popen(
        command, env={**os.environ, "WEBHOOK_SECRET": secret, "PORT": "0"}, stdout=subprocess.PIPE, text=True
    )
    try:
        assert running.stdout is not None
        url = f"http://127.0.0.1:{running.stdout.readline().split()[-1]}/"
        database = opening(sqlite_url)
        body = event_body("task.succeeded", '{"id":"task_1","text":"世界"}'.encode())
        async with delivering(database, quick(tries=(0.0,))):
            ids = await put(database, letter(url, body=body), letter(url, body=body, user_id="usr_other"))
            states = [row.state for row in await ended(database, ids)]
        assert states == ["delivered", "failed"]
        assert [(await tries(database, id))[0].status for id in ids] == [204, 401]
        assert running.stdout.readline().split() == [ids[0], "task.succeeded"]
        now = now_ms() // 1000
        for signature, said, status in (
            (sign(secret, "msg_1", now, body), body, 204),
            (sign((new_secret(), secret), "msg_1", now, body), body, 204),
            (sign(secret, "msg_1", now - 301, body), body, 401),
            (sign(secret, "msg_1", now, body + b" "), body, 401),
            ((), body, 401),
        ):
            headers = [(name.decode(), value.decode()) for name, value in signature]
            async with httpx.AsyncClient() as client:
                assert (await client.post(url, content=said, headers=headers)).status_code == status
    finally:
        running.kill()
        running.communicate()
