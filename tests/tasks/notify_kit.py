"""Heralds with their outboxes, accounts and mail servers for tests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import UnthreadedController
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from hooks_kit import QUICK, SECRET, SECRETS

from unigate.base.clock import now_ms
from unigate.base.live_settings import LiveSettings, MailSettings, NotifySettings
from unigate.manage import users
from unigate.manage.desk import Desk
from unigate.manage.notification_forms import TargetForm
from unigate.manage.notifications import NotificationForm, set_notifications
from unigate.store import news as news_rows
from unigate.store.database import Database
from unigate.tasks.herald import Herald
from unigate.tasks.outbox import Outbox
from unigate.upstream import Client, ClientLimits


@dataclass
class Postbox:
    """What a mail server got, and what it refuses."""

    port: int = 0
    mails: list[tuple[Envelope, EmailMessage]] = field(default_factory=list)
    #: Who came in by which password.
    logins: list[tuple[str, str]] = field(default_factory=list)
    #: Answers to receivers in order; the last stays.
    answers: list[str] = field(default_factory=lambda: ["250 ok"])

    async def handle_RCPT(  # noqa: N802 - its library's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.mails.append((envelope, message))
        return "250 kept"

    def authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login.decode(), data.password.decode()))
        return AuthResult(success=data.password == b"mail-password", handled=False)


@asynccontextmanager
async def mail_server(**more: Any) -> AsyncIterator[Postbox]:
    """A mail server of another make, on a free port."""
    box = Postbox()
    controller = UnthreadedController(
        box, hostname="127.0.0.1", port=0, loop=asyncio.get_running_loop(), authenticator=box.authenticate, **more
    )
    server = await controller._create_server()
    assert isinstance(server, asyncio.Server)
    box.port = server.sockets[0].getsockname()[1]
    try:
        yield box
    finally:
        server.close()


def mail_settings(box: Postbox, **more: Any) -> MailSettings:
    given = {"host": "127.0.0.1", "port": box.port, "tls": False, "from_address": "no-reply@relay.example"}
    return MailSettings(**{**given, **more})


def desk(db: Database) -> Desk:
    return Desk(db=db, secret=SECRET)


async def account(db: Database, name: str = "alice", role: str = "user", **more: Any) -> str:
    """A user; their id."""
    email = more.pop("email", f"{name}@example.com")
    return (await users.create_user(desk(db), name, role=role, email=email, **more)).id


async def wants(db: Database, user: str, *targets: TargetForm, **more: Any) -> tuple[list[str], dict[str, str]]:
    """Set a user's targets; their ids, and the secrets that were made."""
    form = NotificationForm(targets=targets, **more)
    view, made = await set_notifications(desk(db), user, form)
    return [str(one.id) for one in view.targets], made


async def happen(db: Database, event: str, user_id: str, **facts: Any) -> None:
    """Write news."""
    async with db.writing() as tx:
        await news_rows.add(tx, [news_rows.made(event, user_id, facts, now_ms())])


def settings(terms: NotifySettings = QUICK, mail: MailSettings | None = None, **more: Any) -> LiveSettings:
    return LiveSettings(notify=terms, mail=mail or MailSettings(), **more)


@asynccontextmanager
async def telling(db: Database, live: LiveSettings) -> AsyncIterator[Herald]:
    """A running herald with its outbox; both have ended when the block has."""
    client = Client(ClientLimits(sweep_seconds=0.05, kept_heads=8))
    outbox = Outbox(db, client, SECRETS, lambda: live.notify, mail=lambda: live.mail)
    herald = Herald(db, lambda: live, outbox.poke)
    async with asyncio.TaskGroup() as group:
        group.create_task(outbox.run())
        heralding = group.create_task(herald.run())
        try:
            yield herald
        finally:
            heralding.cancel()
            outbox.stop()
    await client.close()
