"""Fetching a file from the address that a provider named, whoever named it to the provider: no address is trusted.

Private addresses are connected to only where the file's row says so; each redirect is checked as the first address was.
"""

import base64
import binascii
from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes, urljoin, urlsplit

from unigate.base.errors import BadAnswer, Unreachable
from unigate.spec.channel import Timeouts
from unigate.spec.provider import Request
from unigate.spec.task import Headers
from unigate.upstream import Answer, Client, Endpoint, endpoint

REDIRECTS = 3
_REDIRECTS = (301, 302, 303, 307, 308)
_SAFE = "/%:@!$&'()*+,;=~-._?[]"  # stays as it is in a path and its query
_USUAL: Headers = ((b"accept", b"*/*"), (b"accept-encoding", b"identity"), (b"user-agent", b"unigate"))
_MOST = 8192


class Refused(Unreachable):
    """A file's address leads where we don't go."""

    try_next = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Inline:
    """A file that stood in its address."""

    media_type: str
    body: bytes


async def fetch(client: Client, url: str, timeouts: Timeouts, *, private: bool, headers: Headers = ()) -> Answer:
    """The answer of whoever has the file, after redirects; its status may be any other.

    Raises Refused for an address that can't be meant, UpstreamError for what goes wrong on the way.
    """
    for _ in range(REDIRECTS + 1):
        where, request = _request(url, private=private, headers=headers)
        answer = await client.send(where, request, b"", timeouts, once=True)
        if answer.status not in _REDIRECTS:
            return answer
        location = answer.header(b"location")
        answer.abort()
        if location is None:
            raise BadAnswer(detail="a redirect to nowhere")
        try:
            url = urljoin(url, location.decode("latin-1").strip())
        except ValueError:
            raise BadAnswer(detail="a redirect to nowhere") from None
    raise Refused(detail=f"more than {REDIRECTS} redirects")


def inline(url: str) -> Inline | None:
    """The file of a `data:` URL (RFC 2397), None for any other address; Refused where it can't be read."""
    if url[:5].lower() != "data:":
        return None
    head, comma, body = url[5:].partition(",")
    if not comma:
        raise Refused(detail="a data: URL without data")
    kind, _, coding = head.rpartition(";") if ";" in head else (head, "", "")
    if coding.strip().lower() != "base64":
        return Inline(media_type=head or "text/plain", body=unquote_to_bytes(body))
    try:
        found = base64.b64decode("".join(body.split()), validate=True)
    except (binascii.Error, ValueError):
        raise Refused(detail="a data: URL whose base64 is broken") from None
    return Inline(media_type=kind, body=found)


def shown(url: str) -> str:
    """An address for the log: without what may be secret in it."""
    if url[:5].lower() == "data:":
        return "data:"
    try:
        parts = urlsplit(url)
    except ValueError:
        return "not an address"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"[:200]


def _request(url: str, *, private: bool, headers: Headers) -> tuple[Endpoint, Request]:
    try:
        parts = urlsplit(url)
        where, _ = endpoint(f"{parts.scheme}://{parts.netloc}", allow_private=private)
    except ValueError as error:
        raise Refused(detail=f"not an address of a file: {error}") from None
    if len(url) > _MOST:
        raise Refused(detail="an address of more than 8 KB")
    target = quote(parts.path or "/", safe=_SAFE) + (f"?{quote(parts.query, safe=_SAFE)}" if parts.query else "")
    return where, Request("GET", target, (*_USUAL, *headers))
