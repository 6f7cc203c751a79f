"""Sending one mail by an SMTP server. Knows no settings, no database and no user.

RFC 5321, RFC 3207 (STARTTLS), RFC 8314 (TLS from the beginning), RFC 4954 (login).
"""

import functools
from dataclasses import dataclass, field
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate
from ssl import SSLContext
from typing import TYPE_CHECKING

from unigate.base.errors import GatewayError
from unigate.upstream.tls import trusting

if TYPE_CHECKING:
    from aiosmtplib import SMTPResponse


class MailRefused(GatewayError):
    """The mail could not be handed over."""

    status = 502
    default_code = "mail_refused"

    def __init__(self, detail: str, *, answered: int = 0) -> None:
        super().__init__(detail=detail)
        #: The code that the server answered; 0: none.
        self.answered = answered


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """How a server is reached, and in whose name mails are sent."""

    host: str
    port: int
    tls: bool
    starttls: bool
    ca_file: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    from_name: str = ""
    from_address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail of plain text; `id` is the same with each try, so that its receivers know it again."""

    id: str
    to: str
    subject: str
    text: str
    #: Language of the text, such as `en`.
    language: str = ""


async def send_mail(server: MailServer, mail: Mail, *, seconds: float) -> str:
    """Hand a mail over; what the server said to it. MailRefused."""
    import aiosmtplib  # noqa: PLC0415 - a worker that sends no mail needs none of it

    try:
        message = message_of(server, mail)
    except (ValueError, IndexError, MessageError) as error:  # what the library says of an address that is none
        raise MailRefused(f"the mail can't be written: {error}") from None
    try:
        refused, said = await aiosmtplib.send(
            message,
            sender=server.from_address,
            recipients=[mail.to],
            hostname=server.host,
            port=server.port,
            use_tls=server.tls and not server.starttls,
            start_tls=server.starttls,
            tls_context=_context(server),
            username=server.username or None,
            password=server.password or None,
            timeout=seconds,
        )
    except aiosmtplib.SMTPRecipientsRefused as error:
        first = error.recipients[0]
        raise MailRefused(f"it answered {first.code}: {first.message}", answered=first.code) from None
    except aiosmtplib.SMTPResponseException as error:
        raise MailRefused(f"it answered {error.code}: {error.message}", answered=error.code) from None
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        raise MailRefused(f"{type(error).__name__}: {error}") from None
    return _said(refused, said)


def message_of(server: MailServer, mail: Mail) -> EmailMessage:
    """The mail as it goes on the wire. ValueError, IndexError or MessageError for an address that is none."""
    message = EmailMessage()
    message["From"] = Address(server.from_name, addr_spec=server.from_address)
    message["To"] = Address(addr_spec=mail.to)
    message["Subject"] = mail.subject
    message["Date"] = formatdate()
    message["Message-ID"] = f"<{mail.id}@{server.from_address.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody answers from their holidays
    message.set_content(mail.text)
    if mail.language:
        message["Content-Language"] = mail.language
    return message


def _context(server: MailServer) -> SSLContext | None:
    return _trusting(server.ca_file) if server.tls or server.starttls else None


@functools.lru_cache(maxsize=4)
def _trusting(ca_file: str) -> SSLContext:
    """The context of these certificates, kept: to make one with the system's takes time in which nothing else is done."""
    return trusting(ca_file or None)


def _said(refused: "dict[str, SMTPResponse]", said: str) -> str:
    """What the server said; it has refused nobody, since there was one receiver only."""
    for code, message in refused.values():
        raise MailRefused(f"it answered {code}: {message}", answered=code)
    return said
