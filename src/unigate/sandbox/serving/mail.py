"""A mail server that keeps what it gets and sends nothing on, and `/sandbox/mails`, which shows it.

GET     what came, oldest first; ?to=ADDRESS only to that one
DELETE  forgets it

RFC 5321 as far as senders need it, and AUTH PLAIN and LOGIN (RFC 4954), by which anybody may come in. To an address that
begins with `refuse` it says 550, to one with `later` 451.
"""

import asyncio
import email.policy
import socket
from base64 import b64decode
from binascii import Error as BadBase64
from collections import deque
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from unigate.base import clock
from unigate.sandbox.serving.answer import encode

#: Mails that are kept, bytes of one, and bytes of one line of a command.
_KEPT, _BODY, _LINE = 500, 1024 * 1024, 8192
#: Seconds without a word after which a sender is sent away.
_IDLE = 60.0
_REFUSED = {"refuse": "550 no such mailbox here", "later": "451 try again later"}
_parser = BytesParser(policy=email.policy.default)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A mail that came."""

    at: int
    sender: str
    to: list[str]
    #: Who had logged in; "": nobody.
    login: str
    content: bytes

    def shown(self) -> dict[str, Any]:
        """It as JSON data."""
        message = _parser.parsebytes(self.content)
        assert isinstance(message, EmailMessage)
        body = message.get_body(("plain",))
        return {
            "at": self.at,
            "from": self.sender,
            "to": self.to,
            "login": self.login,
            "subject": str(message["subject"] or ""),
            "headers": [[name, str(value)] for name, value in message.items()],
            "text": body.get_content() if body is not None else "",
        }


class Mails:
    """What came; the oldest fall out."""

    def __init__(self) -> None:
        self._kept: deque[Kept] = deque(maxlen=_KEPT)

    def keep(self, mail: Kept) -> None:
        """Keep a mail."""
        self._kept.append(mail)

    def all(self, to: str | None = None) -> list[Kept]:
        """Mails to an address, or all, oldest first."""
        return [mail for mail in self._kept if to is None or to in mail.to]

    def clear(self) -> None:
        """Forget them."""
        self._kept.clear()


def routes(mails: Mails) -> list[Route]:
    """The route that shows them."""

    async def show(request: Request) -> Response:
        """Show or forget what came."""
        if request.method == "DELETE":
            mails.clear()
            return Response(encode({"cleared": True}), media_type="application/json")
        found = [mail.shown() for mail in mails.all(request.query_params.get("to"))]
        return Response(encode({"data": found}), media_type="application/json")

    return [Route("/sandbox/mails", show, methods=["GET", "DELETE"])]


@dataclass(slots=True)
class Session:
    """One sender's connection, as far as it has come."""

    mails: Mails
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    login: str = ""
    sender: str | None = None
    to: list[str] = field(default_factory=list)

    async def run(self) -> None:
        """Speak until the sender goes."""
        self._say("220 sandbox ESMTP")
        while True:
            line = await self._line()
            verb, _, rest = line.partition(" ")
            verb = verb.upper()
            if verb == "QUIT":
                self._say("221 bye")
                await self.writer.drain()
                return
            if verb == "DATA":
                await self._data()
            elif verb == "AUTH":
                await self._auth(rest)
            else:
                self._command(verb, rest)

    def _command(self, verb: str, rest: str) -> None:
        if verb in {"EHLO", "HELO"}:
            self._reset()
            more = ("250-AUTH PLAIN LOGIN", f"250-SIZE {_BODY}", "250 8BITMIME") if verb == "EHLO" else ()
            self._say("250-sandbox" if more else "250 sandbox", *more)
        elif verb == "MAIL":
            self._reset()
            self.sender = _path(rest)
            self._say("250 ok" if self.sender is not None else "501 MAIL FROM:<address>")
        elif verb == "RCPT":
            self._receiver(_path(rest))
        elif verb == "RSET":
            self._reset()
            self._say("250 ok")
        elif verb == "NOOP":
            self._say("250 ok")
        else:
            self._say("502 this is not known here")

    def _receiver(self, address: str | None) -> None:
        if self.sender is None:
            self._say("503 MAIL comes first")
        elif not address:
            self._say("501 RCPT TO:<address>")
        else:
            refused = next((said for word, said in _REFUSED.items() if address.startswith(word)), None)
            if refused is None:
                self.to.append(address)
            self._say(refused or "250 ok")

    async def _data(self) -> None:
        if self.sender is None or not self.to:
            self._say("503 MAIL and RCPT come first")
            return
        self._say("354 end with a dot on a line of its own")
        content = bytearray()
        while (line := await self._raw()) != b".\r\n":
            content += line.removeprefix(b".") if line.startswith(b"..") else line
            if len(content) > _BODY:
                self._say("552 too large")
                raise ConnectionError
        mail = Kept(at=clock.now_ms(), sender=self.sender, to=self.to, login=self.login, content=bytes(content))
        self.mails.keep(mail)
        self._reset()
        self._say("250 kept")

    async def _auth(self, rest: str) -> None:
        kind, _, first = rest.partition(" ")
        try:
            if kind.upper() == "PLAIN":
                if not first:
                    self._say("334 ")
                    first = await self._line()
                self.login = b64decode(first, validate=True).split(b"\0")[1].decode()
            elif kind.upper() == "LOGIN":
                self._say("334 VXNlcm5hbWU6")
                self.login = b64decode(await self._line(), validate=True).decode()
                self._say("334 UGFzc3dvcmQ6")
                b64decode(await self._line(), validate=True)
            else:
                self._say("504 PLAIN or LOGIN")
                return
        except (BadBase64, IndexError, ValueError):
            self._say("501 that is not as it is to be")
            return
        self._say("235 welcome")

    def _reset(self) -> None:
        self.sender, self.to = None, []

    def _say(self, *lines: str) -> None:
        self.writer.write("".join(f"{line}\r\n" for line in lines).encode())

    async def _line(self) -> str:
        return (await self._raw()).decode("utf-8", "replace").rstrip("\r\n")

    async def _raw(self) -> bytes:
        async with asyncio.timeout(_IDLE):
            await self.writer.drain()
            return await self.reader.readuntil(b"\n")


async def serve(mails: Mails, sock: socket.socket) -> asyncio.Server:
    """Begin to take mails on a listening socket."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await Session(mails, reader, writer).run()
        except (ConnectionError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    return await asyncio.start_server(speak, sock=sock, limit=_LINE)


def _path(rest: str) -> str | None:
    """The address of `FROM:<a@b> ...` or `TO:<a@b> ...`; None where there is none."""
    begin, end = rest.find("<"), rest.find(">")
    return rest[begin + 1 : end] if 0 <= begin < end else None
