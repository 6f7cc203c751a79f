"""What is said to providers that run batches: files up and down, batches created, found, asked after, cancelled. Knows no row."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog

from unigate.base.clock import monotonic, now_ms
from unigate.base.errors import BadAnswer, GatewayError, UpstreamError, UpstreamRefused
from unigate.dialects import openai_batches, openai_files
from unigate.relay import copy_wire
from unigate.relay.copy_wire import Opener
from unigate.relay.services import Services
from unigate.routing.choice import Candidate
from unigate.routing.failures import read_retry_after
from unigate.spec.operation import Operation
from unigate.store.batches import BatchRow
from unigate.store.own_files import FileRow
from unigate.upstream import Answer

log: Any = structlog.get_logger("unigate.batches")
#: Our name of a batch in its metadata there.
NAME = "unigate_batch"
#: Batches of a provider's list that are looked through for ours.
LISTED = 100
_READ = 4 << 20
#: So long after its batch expired a file of requests is gone there, whoever forgot to delete it.
_LASTS_MS = 86_400_000
_ROWS = {row.name: row for row in (*openai_batches.OPERATIONS, *openai_files.OPERATIONS)}
CREATE, LIST, GET, CANCEL = (_ROWS[f"openai.batches.{name}"] for name in ("create", "list", "get", "cancel"))
CONTENT, DELETE = _ROWS["openai.files.content"], _ROWS["openai.files.delete"]


class _Errors(msgspec.Struct):
    data: list[dict[str, Any]] = []


class _Told(msgspec.Struct):
    id: str
    status: str
    input_file_id: str | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None
    errors: _Errors | None = None
    metadata: dict[str, Any] | None = None


class _List(msgspec.Struct):
    data: list[_Told]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A batch as its provider tells it."""

    id: str
    status: str
    input_file_id: str = ""
    output_file_id: str = ""
    error_file_id: str = ""
    #: Each with code, message, param and line, as far as it tells them.
    errors: Sequence[dict[str, Any]] = ()


class Wire:
    """One provider's batches, by one credential. Every method raises UpstreamError."""

    def __init__(self, svc: Services, candidate: Candidate) -> None:
        self._svc = svc
        self._candidate = candidate

    async def upload(self, row: BatchRow, size: int, opened: Opener) -> str:
        """Upload so many bytes of requests; the provider's id of the file."""
        file = FileRow(
            id=row.id,
            user_id=row.user_id,
            purpose="batch",
            filename=f"{row.id}.jsonl",
            media_type="application/jsonl",
            size=size,
            store="",
            path="",
            counted=0,
            created_at=now_ms(),
            expires_at=row.expires_at + _LASTS_MS,
        )
        file_id, _ = await copy_wire.upload(self._svc.upstreams, self._candidate, file, opened)
        return file_id

    async def create(self, row: BatchRow, file_id: str) -> Seen:
        """Create a batch, once: whether it was is to be looked up where nobody answers."""
        told = {
            "input_file_id": file_id,
            "endpoint": row.endpoint,
            "completion_window": row.completion_window,
            "metadata": {NAME: row.id},
        }
        return _seen(_decoded(await self._ask(CREATE, body=msgspec.json.encode(told)), _Told))

    async def named(self, name: str) -> Seen | None:
        """The batch that was created under a name of ours; None where there is none."""
        found = _decoded(await self._ask(LIST, query=f"limit={LISTED}"), _List)
        return next((_seen(one) for one in found.data if (one.metadata or {}).get(NAME) == name), None)

    async def get(self, upstream_id: str) -> Seen:
        """How far a batch is."""
        return _seen(_decoded(await self._ask(GET, upstream_id), _Told))

    async def cancel(self, upstream_id: str) -> None:
        """End a batch early; one that is ending by itself does so."""
        try:
            await self._ask(CANCEL, upstream_id)
        except UpstreamRefused as refused:
            log.info("a provider did not cancel a batch", upstream_id=upstream_id, status=refused.upstream_status)

    async def lines(self, file_id: str) -> AsyncGenerator[bytes, None]:
        """The lines of a file of the provider's. BadAnswer for one that is too long."""
        most, left = self._svc.settings.relay.answer_bytes, b""
        answer = await self._open(CONTENT, file_id)
        try:
            while (piece := await answer.piece()) is not None:
                *whole, left = (left + piece).split(b"\n")
                for line in whole:
                    if line.strip():
                        yield line
                if len(left) > most:
                    raise BadAnswer(detail="a line of a batch's file is too long")
        finally:
            answer.abort()
        if left.strip():
            yield left

    async def tidy(self, seen: Seen) -> None:
        """Delete the files of a batch that ended; what can't be deleted stays there until it expires."""
        for file_id in (seen.input_file_id, seen.output_file_id, seen.error_file_id):
            if file_id:
                await self.delete(file_id)

    async def delete(self, file_id: str) -> None:
        """Delete a file, if that can be done now."""
        try:
            await self._ask(DELETE, file_id)
        except GatewayError as error:
            log.info("a file of a batch is left at its provider", file=file_id, error=error.code)

    async def _ask(self, operation: Operation, upstream_id: str = "", *, body: bytes = b"", query: str = "") -> bytes:
        answer = await self._open(operation, upstream_id, body=body, query=query)
        try:
            return await answer.read(_READ)
        except BaseException:
            answer.abort()
            raise

    async def _open(self, operation: Operation, upstream_id: str, *, body: bytes = b"", query: str = "") -> Answer:
        """A good answer's head; UpstreamRefused for another. The router hears of both."""
        svc, candidate = self._svc, self._candidate
        channel = candidate.route.channel
        where, request = svc.upstreams.about(candidate, operation, upstream_id, query)
        began = monotonic()
        try:
            answer = await svc.upstreams.client.send(
                where, request, body, channel.timeouts, may_repeat=operation.method == "GET"
            )
            if not 200 <= answer.status < 300:
                wait = read_retry_after(answer.header(b"retry-after"), answer.header(b"retry-after-ms"), now_ms())
                status, told = channel.provider.adjust_error(answer.status, await answer.read(_READ))
                raise UpstreamRefused(status, told, retry_after=wait)
        except UpstreamError as failure:
            if not isinstance(failure, UpstreamRefused):
                log.warning("a provider of batches is not there", channel=channel.name, seconds=monotonic() - began)
            raise
        return answer


def _decoded(body: bytes, kind: type[Any]) -> Any:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadAnswer(detail=f"no batch: {error}") from None


def _seen(told: _Told) -> Seen:
    return Seen(
        id=told.id,
        status=told.status,
        input_file_id=told.input_file_id or "",
        output_file_id=told.output_file_id or "",
        error_file_id=told.error_file_id or "",
        errors=told.errors.data if told.errors is not None else (),
    )
