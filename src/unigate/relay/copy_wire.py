"""What is said to providers about copies of files: uploaded from where they lie, asked after, deleted. Knows no row of theirs."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Any, BinaryIO

import structlog

from unigate.base.clock import now_ms
from unigate.base.errors import UpstreamError, UpstreamRefused
from unigate.dialects import openai_files
from unigate.relay.outgoing import FormBody
from unigate.relay.upstreams import Upstreams
from unigate.routing.choice import Candidate
from unigate.routing.failures import read_retry_after
from unigate.spec.form import FilePart
from unigate.spec.operation import Operation
from unigate.spec.own_file import OwnFile
from unigate.store.own_files import FileRow
from unigate.upstream import Answer

log: Any = structlog.get_logger("unigate.files")
#: Answers about files are read as far as this.
READ = 256 * 1024
_ROWS = {row.name: row for row in openai_files.OPERATIONS}
CREATE, GET, DELETE = (_ROWS[f"openai.files.{name}"] for name in ("create", "get", "delete"))

Opener = Callable[[], Awaitable[AsyncIterator[bytes]]]


async def upload(upstreams: Upstreams, candidate: Candidate, file: FileRow, opened: Opener) -> tuple[str, int]:
    """Upload a file: the provider's id of it, and when it expires there (ms since 1970, 0: never). Raises UpstreamError."""
    channel = candidate.route.channel
    provider = channel.provider
    part = FilePart(
        name="file",
        filename=file.filename,
        media_type=file.media_type,
        size=file.size,
        source=_Elsewhere(),
    )
    kept = OwnFile(
        id=file.id,
        purpose=file.purpose,
        filename=file.filename,
        media_type=file.media_type,
        size=file.size,
        created_at=file.created_at,
        expires_at=file.expires_at,
    )
    purpose = provider.file_purposes.get(file.purpose, file.purpose)
    form, expires_at = openai_files.copy_form(kept, part, purpose, now=now_ms())
    form, _ = provider.adjust_form(form, channel.options)

    async def stored(_part: FilePart) -> AsyncGenerator[bytes, None]:
        async for piece in await opened():
            yield piece

    where, request = upstreams.to(candidate, CREATE)
    try:
        # On no connection from the pool: where it had ended, nobody could say whether the file arrived.
        answer = await upstreams.client.send(
            where, request, FormBody(form, stored), channel.timeouts, may_repeat=False, fresh=True
        )
        return openai_files.read_copy(await _good(answer, candidate)), expires_at
    except UpstreamError as failure:
        if failure.sent and not isinstance(failure, UpstreamRefused):
            told = {"file": file.id, "channel": channel.name, "detail": failure.detail}
            log.warning("an upload has no answer: a copy may be left at the provider", **told)
        raise


async def ask(upstreams: Upstreams, candidate: Candidate, operation: Operation, upstream_id: str) -> None:
    """Ask a provider about a copy, or to delete it. Raises UpstreamRefused where it does not say yes, UpstreamError."""
    where, request = upstreams.about(candidate, operation, upstream_id, "")
    timeouts = candidate.route.channel.timeouts
    answer = await upstreams.client.send(where, request, b"", timeouts, once=True)
    await _good(answer, candidate)


async def _good(answer: Answer, candidate: Candidate) -> bytes:
    """A good answer, whole; UpstreamRefused for another."""
    try:
        body = await answer.read(READ)
    except BaseException:
        answer.abort()
        raise
    if 200 <= answer.status < 300:
        return body
    status, told = candidate.route.channel.provider.adjust_error(answer.status, body)
    wait = read_retry_after(answer.header(b"retry-after"), answer.header(b"retry-after-ms"), now_ms())
    kind = answer.header(b"content-type") or b""
    raise UpstreamRefused(status, told, content_type=kind, retry_after=wait, aside=True)


class _Elsewhere:
    """The source of a file that is read from its storage instead. Fulfils `spec.form.Source`."""

    at_hand = False

    def read(self, at: int, size: int) -> bytes:  # noqa: ARG002 - as every source
        raise ValueError("it is read from its storage")

    def open(self) -> BinaryIO:
        raise ValueError("it is read from its storage")

    def close(self) -> None:
        """Nothing is held."""
