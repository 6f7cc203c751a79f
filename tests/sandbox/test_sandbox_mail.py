"""The sandbox's mail server, by the standard library's client; and what it shows."""

import asyncio
import smtplib
from collections.abc import AsyncIterator
from email.message import EmailMessage

import pytest
from sandbox_client import Sandbox

from unigate.http.listen import listen
from unigate.sandbox.serving.mail import Mails, serve


@pytest.fixture
async def port(mails: Mails) -> AsyncIterator[int]:
    sock = listen("127.0.0.1", 0)[0]
    server = await serve(mails, sock)
    yield sock.getsockname()[1]
    server.close()


@pytest.fixture
def mails() -> Mails:
    return Mails()


def message(to: str, text: str = "Hello.\n.\n..dots\n") -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "a@example.com", to, "世界"
    made.set_content(text)
    return made


async def test_mails_are_kept_as_they_came(mails: Mails, port: int) -> None:
    def send() -> None:
        with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
            client.login("somebody", "any password")
            client.send_message(message("b@example.com"))
            client.send_message(message("c@example.com", "second\n"))

    await asyncio.to_thread(send)
    first, second = [one.shown() for one in mails.all()]
    assert (first["from"], first["to"], first["login"]) == ("a@example.com", ["b@example.com"], "somebody")
    assert first["subject"] == "世界" and first["text"].splitlines() == ["Hello.", ".", "..dots"]
    assert second["text"].strip() == "second" and mails.all("c@example.com") == mails.all()[1:]


@pytest.mark.parametrize(("to", "code"), [("refuse@example.com", 550), ("later@example.com", 451)])
async def test_some_receivers_are_refused(mails: Mails, port: int, to: str, code: int) -> None:
    def send() -> int:
        with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
            try:
                client.send_message(message(to))
            except smtplib.SMTPRecipientsRefused as refused:
                return refused.recipients[to][0]
        return 0

    assert await asyncio.to_thread(send) == code and mails.all() == []


async def test_what_is_out_of_order_is_refused(mails: Mails, port: int) -> None:
    def speak() -> list[int]:
        with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
            said = [
                client.docmd(word)[0] for word in ("RCPT TO:<a@b>", "DATA", "MAIL FROM:a", "AUTH X", "DANCE", "NOOP")
            ]
            said.append(client.docmd("AUTH PLAIN !!!")[0])
            client.helo()
            client.docmd("MAIL FROM:<a@b>")
            said.append(client.docmd("DATA")[0])
            return said

    assert await asyncio.to_thread(speak) == [503, 503, 501, 504, 502, 250, 501, 503]


def test_the_page_shows_and_forgets_them(own_sandbox: Sandbox) -> None:
    url = f"{own_sandbox.url}/sandbox/mails"
    assert own_sandbox.http.get(url).json() == {"data": []}
    assert own_sandbox.http.delete(url).json() == {"cleared": True}
