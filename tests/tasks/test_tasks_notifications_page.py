"""The receivers of docs/notifications.md: they run, take what is really signed, and nothing else."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from hooks_kit import quick, until_so
from notify_kit import account, desk, happen, settings, telling, wants

from support.node import bare
from support.tree import ROOT
from unigate.manage import live
from unigate.manage.notification_forms import TargetForm
from unigate.store import outbox
from unigate.store.database import Database
from unigate.store.pages import Page

PAGE = (ROOT / "docs" / "notifications.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("language", "name"), [("python", "receiver.py"), ("js", "receiver.mjs")])
async def test_a_receiver_takes_what_is_genuine(
    tmp_path: Path, language: str, name: str, sqlite_url: str, opening: Callable[..., Database]
) -> None:
    [source] = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    path = tmp_path / name
    path.write_text(source, encoding="utf-8")
    command = [sys.executable if language == "python" else bare(), str(path)]
    running = subprocess.Popen(
        command, env={**os.environ, "WEBHOOK_SECRET": "sésame", "PORT": "0"}, stdout=subprocess.PIPE, text=True
    )
    try:
        assert running.stdout is not None
        url = f"http://127.0.0.1:{running.stdout.readline().split()[-1]}/"
        database = opening(sqlite_url)
        await live.set_setting(desk(database), "notify", {"allow_private_targets": True})
        user = await account(database)
        forms = [TargetForm(kind="webhook", url=url, format="newapi", secret=secret) for secret in ("sésame", "other")]
        await wants(database, user, *forms)

        async def states() -> list[str]:
            async with database.reading() as tx:
                rows = (await outbox.page(tx, Page(limit=10))).rows
            return sorted(row.state for row in rows)

        async def both_ended() -> bool:
            return await states() == ["delivered", "failed"]

        async with telling(database, settings(quick(tries=(0.0,)))):
            await happen(database, "balance.low", user, balance=1, threshold=2)
            await until_so(both_ended, seconds=60)
        assert running.stdout.readline().strip() == "quota_exceed"
        async with httpx.AsyncClient() as client:
            assert (await client.post(url, content=b"{}")).status_code == 401
    finally:
        running.kill()
        running.communicate()
