"""One try to deliver a message: an HTTP request to an address that a caller gave. Knows no database.

The address is checked when it is connected to; redirects are not followed, since they could lead anywhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from unigate import __version__
from unigate.base.clock import monotonic, now_ms
from unigate.base.errors import GatewayError, TookTooLong
from unigate.spec.channel import Timeouts
from unigate.spec.provider import Request
from unigate.spec.task import Headers
from unigate.tasks.addresses import place
from unigate.tasks.signing import sign
from unigate.upstream import Answer, Client, ClientLimits

#: For the client of whoever sends many of these: no two requests are alike, few go to one host, and names that take long
#: to be found must not keep those of vendors waiting.
LIMITS = ClientLimits(kept_heads=64, idle_connections=4, connections=2000, lookups=1)
#: Bytes that are read of an answer, and characters that are kept of an error.
_READ, _SHOWN = 4096, 300
_AGENT = (b"user-agent", f"unigate/{__version__}".encode())
_GONE = 410


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a try ended."""

    #: 0: no answer came.
    status: int
    #: Why it counts as failed, "" where it does not.
    error: str
    ms: int
    #: The beginning of what came back.
    answer: str

    @property
    def ok(self) -> bool:
        """It was taken."""
        return not self.error

    @property
    def gone(self) -> bool:
        """Whoever answers there wants no more of it, ever."""
        return self.status == _GONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What is sent: the same with each try but for the signature's time."""

    id: str
    url: str
    headers: Headers
    body: bytes
    method: str = "POST"
    #: By which it is signed; empty: it is not.
    secrets: Sequence[str] = ()


async def send(
    client: Client, letter: Letter, *, seconds: float, allow_private: bool, may_repeat: bool = True
) -> Outcome:
    """Try once, within so many seconds; nothing is raised but a cancellation.

    `may_repeat`: it may reach its receiver twice where a connection turns out to be dead.
    """
    started = monotonic()
    status, told, error = 0, b"", ""
    try:
        where = place(letter.url, allow_private=allow_private)
        signature = sign(letter.secrets, letter.id, now_ms() // 1000, letter.body) if letter.secrets else ()
        request = Request(letter.method, where.target, (_AGENT, *letter.headers, *signature))
        limits = Timeouts(connect=seconds, first_byte=seconds, idle=seconds, total=seconds)
        answer = await client.send(where.endpoint, request, letter.body, limits, may_repeat=may_repeat, once=True)
        status = answer.status
        error = "" if 200 <= status < 300 else _refusal(status)
        told = await _beginning(answer)
    except TookTooLong as late:
        error = late.detail or f"no answer within {seconds:g} s"
    except GatewayError as failed:
        error = failed.detail or failed.message
    except ValueError as wrong:
        error = str(wrong)
    return Outcome(
        status=status,
        error=error[:_SHOWN],
        ms=round((monotonic() - started) * 1000),
        answer=told.decode(errors="replace").replace("\0", "�"),
    )


async def _beginning(answer: Answer) -> bytes:
    """The first bytes of an answer, as far as they come; whether it was taken, its status has said."""
    found = b""
    try:
        while len(found) < _READ:
            piece = await answer.piece()
            if piece is None:
                return found
            found += piece
    except GatewayError:
        pass
    finally:
        answer.abort()
    return found[:_READ]


def _refusal(status: int) -> str:
    if 300 <= status < 400:
        return f"it answered {status}: redirects are not followed"
    return f"it answered {status}"
