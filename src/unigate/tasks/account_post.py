"""One try to reach an account's target, by HTTP or by mail. Knows no database."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog

from unigate.base.clock import monotonic, now_ms
from unigate.base.live_settings import MailSettings, NotifySettings
from unigate.store.notifications import Target
from unigate.store.outbox import OutboxRow
from unigate.tasks.account_forms import Kept, Text, bark_url, gotify_body, gotify_url, signature
from unigate.tasks.addresses import place
from unigate.tasks.notices import headers_of
from unigate.tasks.sending import Letter, Outcome, send
from unigate.upstream import Client
from unigate.upstream.mail import Mail, MailRefused, MailServer, send_mail

log: Any = structlog.get_logger("unigate.tasks")
MAILTO = "mailto:"
#: What the password of the mail server is sealed for.
MAIL_CONTEXT = "setting:mail"
_JSON = ((b"content-type", b"application/json"),)
_TAKEN = 250


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """By what targets are reached. `unseal(sealed, context)` opens what is kept; CannotOpen."""

    client: Client
    unseal: Callable[[str, str], str]
    notify: Callable[[], NotifySettings]
    mail: Callable[[], MailSettings]

    async def send(self, row: OutboxRow, target: Target) -> Outcome:
        """Try once; nothing is raised but a cancellation."""
        terms = self.notify()
        try:
            if target.kind == "email":
                return await self._mailed(row, terms.seconds)
            letter = self._letter(row, target, opened(self.unseal, target))
        except Exception:  # what is sealed can't be opened any more
            log.exception("a message could not be made ready", message=row.id, target=target.id)
            return Outcome(status=0, error="what is kept of this target can't be opened", ms=0, answer="")
        return await send(
            self.client, letter, seconds=terms.seconds, allow_private=terms.allow_private_targets, may_repeat=True
        )

    def _letter(self, row: OutboxRow, target: Target, kept: Kept) -> Letter:
        if target.kind == "bark":
            text = msgspec.json.decode(row.body, type=Text)
            return Letter(id=row.id, method="GET", url=bark_url(target.address, text), headers=(), body=b"")
        if target.kind == "gotify":
            text = msgspec.json.decode(row.body, type=Text)
            body = gotify_body(text, target.priority)
            return Letter(id=row.id, url=gotify_url(target.address, kept.token), headers=_JSON, body=body)
        more = tuple((name.lower().encode(), value.encode()) for name, value in kept.headers.items())
        headers = (*headers_of(row), *more)
        if target.format == "newapi":
            signed = signature(kept.secret, row.body)
            return Letter(id=row.id, url=target.address, headers=(*headers, *signed), body=row.body)
        secrets = (kept.secret, kept.before) if kept.before and now_ms() < kept.until else (kept.secret,)
        return Letter(id=row.id, url=target.address, headers=headers, body=row.body, secrets=secrets)

    async def _mailed(self, row: OutboxRow, seconds: float) -> Outcome:
        settings, text, began = self.mail(), msgspec.json.decode(row.body, type=Text), monotonic()
        status, error, answer = 0, "", ""
        if not settings.usable:
            error = "no server for mails is set"
        else:
            mail = Mail(
                id=row.id,
                to=row.url.removeprefix(MAILTO),
                subject=text.title,
                text=text.text + "\n",
                language=text.language,
            )
            try:
                answer = await send_mail(self._server(settings), mail, seconds=seconds)
                status = _TAKEN
            except MailRefused as refused:
                status, error = refused.answered, refused.detail
        return Outcome(status=status, error=error[:300], ms=round((monotonic() - began) * 1000), answer=answer[:4096])

    def _server(self, settings: MailSettings) -> MailServer:
        return MailServer(
            host=settings.host,
            port=settings.port,
            tls=settings.tls,
            starttls=settings.starttls,
            ca_file=settings.ca_file,
            username=settings.username,
            password=self.unseal(settings.password, MAIL_CONTEXT) if settings.password else "",
            from_name=settings.from_name,
            from_address=settings.from_address,
        )


def context(target_id: str) -> str:
    """What is kept of a target is sealed for this."""
    return f"target:{target_id}"


def opened(unseal: Callable[[str, str], str], target: Target) -> Kept:
    """What is sealed in a target's row."""
    if not target.sealed:
        return Kept()
    return msgspec.json.decode(unseal(target.sealed.decode(), context(target.id)), type=Kept)


def address_of(target: Target, email: str | None) -> str:
    """Where a message to a target goes, as its row says it; "" where nobody knows: the account has no address."""
    if target.kind != "email":
        return target.address
    to = target.address or email or ""
    return MAILTO + to if to else ""


def host_of(address: str) -> str:
    """By which messages to one host are counted."""
    if address.startswith(MAILTO):
        return "mail"
    try:
        return place(address, allow_private=True).host
    except ValueError:
        return ""
