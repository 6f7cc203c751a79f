"""Mails by a real server: plain, by STARTTLS, by TLS from the beginning, with a login; and what becomes of refusals."""

import asyncio
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme
from notify_kit import Postbox, mail_server, mail_settings

from unigate.upstream.mail import Mail, MailRefused, MailServer, _trusting, send_mail

MAIL = Mail(
    id="msg_1", to="alice@example.com", subject="您的额度即将用尽", text="$0.42 left.\nTop up: x\n", language="zh"
)


def server(box: Postbox, **more: Any) -> MailServer:
    given = mail_settings(box, **more)
    return MailServer(
        host=given.host,
        port=given.port,
        tls=given.tls,
        starttls=given.starttls,
        ca_file=given.ca_file,
        username=given.username,
        password=given.password,
        from_name=given.from_name,
        from_address=given.from_address,
    )


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ssl.SSLContext]:
    """A file of certificates, and what a server with one of theirs has."""
    authority = trustme.CA()
    path: Path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return str(path), context


async def test_a_mail_is_plain_text_in_any_language() -> None:
    async with mail_server() as box:
        assert await send_mail(server(box, from_name="Relay ✓"), MAIL, seconds=20) == "kept"
    [(envelope, message)] = box.mails
    assert (envelope.mail_from, envelope.rcpt_tos) == ("no-reply@relay.example", ["alice@example.com"])
    assert message["Subject"] == MAIL.subject and message["From"] == "Relay ✓ <no-reply@relay.example>"
    assert message["Message-ID"] == "<msg_1@relay.example>" and message["Auto-Submitted"] == "auto-generated"
    assert message["Content-Language"] == "zh" and message["Date"]
    assert message.get_content_type() == "text/plain" and message.get_content().splitlines() == MAIL.text.splitlines()


@pytest.mark.parametrize("way", ["tls", "starttls"])
async def test_it_is_encrypted_before_anything_is_said(ca: tuple[str, ssl.SSLContext], way: str) -> None:
    path, context = ca
    more = (
        {"ssl_context": context, "auth_require_tls": False}
        if way == "tls"
        else {"tls_context": context, "require_starttls": True}
    )
    given = {"tls": True} if way == "tls" else {"starttls": True}
    async with mail_server(**more) as box:
        me = server(box, **given, ca_file=path, username="relay", password="mail-password")
        await send_mail(me, MAIL, seconds=20)
        assert box.logins == [("relay", "mail-password")]
        with pytest.raises(MailRefused) as unknown:
            await send_mail(server(box, **given), MAIL, seconds=20)  # nobody here vouches for it
        assert "certificate" in unknown.value.detail.lower()
        wrong = server(box, **given, ca_file=path, username="relay", password="other")
        with pytest.raises(MailRefused) as refused:
            await send_mail(wrong, MAIL, seconds=20)
        assert refused.value.answered == 535 and "other" not in refused.value.detail
    assert len(box.mails) == 1


async def test_where_starttls_is_asked_for_nothing_goes_without_it() -> None:
    async with mail_server() as box:
        with pytest.raises(MailRefused):
            await send_mail(server(box, starttls=True), MAIL, seconds=20)
    assert box.mails == []


async def test_refusals_and_silence_are_told() -> None:
    async with mail_server() as box:
        box.answers = ["550 no such mailbox"]
        with pytest.raises(MailRefused) as refused:
            await send_mail(server(box), MAIL, seconds=20)
        assert (refused.value.answered, refused.value.detail) == (550, "it answered 550: no such mailbox")
        for bad in ("no address", "a@b\r\nBcc: c@example.com", ""):
            with pytest.raises(MailRefused):
                await send_mail(server(box), Mail(id="m", to=bad, subject="s", text="t"), seconds=20)
    with pytest.raises(MailRefused):
        await send_mail(server(box), MAIL, seconds=20)  # nobody listens any more
    assert box.mails == []
    held: list[asyncio.StreamWriter] = []
    silent = await asyncio.start_server(lambda _reader, writer: held.append(writer), "127.0.0.1", 0)
    box.port = silent.sockets[0].getsockname()[1]
    with pytest.raises(MailRefused):
        await send_mail(server(box), MAIL, seconds=0.2)
    for writer in held:
        writer.close()
    silent.close()


async def test_certificates_are_read_once(ca: tuple[str, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch) -> None:
    path, context = ca
    read: list[str | None] = []

    def trusting(ca_file: str | None) -> ssl.SSLContext:
        read.append(ca_file)
        return ssl.create_default_context(cafile=ca_file)

    monkeypatch.setattr("unigate.upstream.mail.trusting", trusting)
    _trusting.cache_clear()
    async with mail_server(ssl_context=context, auth_require_tls=False) as box:
        for _ in range(3):
            await send_mail(server(box, tls=True, ca_file=path), MAIL, seconds=20)
        with pytest.raises(MailRefused) as missing:
            await send_mail(server(box, tls=True, ca_file=path + ".none"), MAIL, seconds=20)
    assert len(box.mails) == 3 and read == [path, path + ".none"]
    assert "FileNotFoundError" in missing.value.detail
    _trusting.cache_clear()
