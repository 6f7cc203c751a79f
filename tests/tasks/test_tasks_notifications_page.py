"""The receivers of docs/notifications.md: they run, take what is really signed, and nothing else."""

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from hooks_kit import quick, until_so
from notify_kit import account, desk, happen, settings, telling, wants

from support.receivers import LANGUAGES, running
from support.tree import ROOT
from unigate.manage import live
from unigate.manage.notification_forms import TargetForm
from unigate.store import outbox
from unigate.store.database import Database
from unigate.store.pages import Page

PAGE = (ROOT / "docs" / "notifications.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_receiver_takes_what_is_genuine(
    tmp_path: Path, language: str, sqlite_url: str, opening: Callable[..., Database]
) -> None:
    # Java reads its environment as the locale has it
    secret = "secret 8" if language == "java" else "sésame"
    with running(PAGE, language, tmp_path, WEBHOOK_SECRET=secret) as receiver:
        database = opening(sqlite_url)
        await live.set_setting(desk(database), "notify", {"allow_private_targets": True})
        user = await account(database)
        forms = [TargetForm(kind="webhook", url=receiver.url, format="newapi", secret=one) for one in (secret, "other")]
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
        assert "quota_exceed" in receiver.said()
        async with httpx.AsyncClient() as client:
            for signature in (None, b"", "é".encode(), b"0" * 64):
                headers = {} if signature is None else {b"x-webhook-signature": signature}
                assert (await client.post(receiver.url, content=b"{}", headers=headers)).status_code == 401
