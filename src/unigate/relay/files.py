"""Files of tasks, and those that users uploaded, on their way to a caller: from our storage, or through us from the provider's address.

Nothing is held in memory beyond a piece, and nothing is read faster than the caller takes it. Who may have a file is decided
by whoever calls this. A type that may run scripts does so in nobody's name: it is served as a sandboxed document.
"""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from hashlib import sha256
from urllib.parse import quote

from msgspec.structs import replace

from unigate.base import ids
from unigate.base.clock import now_ms
from unigate.base.errors import BadAnswer, Gone, NotFound, StoreUnavailable, TooLarge, UpstreamError
from unigate.base.live_settings import AssetSettings
from unigate.relay.own_files import ABANDONED_MS, SECONDS
from unigate.relay.ranges import known, read_range, several, still
from unigate.relay.served import OF_USERS, SANDBOX, Served, served
from unigate.spec.channel import Timeouts
from unigate.spec.exchange import Exchange, Header
from unigate.spec.task import Asset
from unigate.store import assets as rows
from unigate.store import own_files
from unigate.store.assets import AssetRow
from unigate.store.database import Database
from unigate.store.objects import Found, Storages
from unigate.tasks.fetching import fetch, inline
from unigate.tasks.media import UNKNOWN, ending, fits, media_type, plain
from unigate.tasks.places import place as place_of
from unigate.tasks.sources import Opened, open_source
from unigate.upstream import Answer, Client

#: What callers' `range`, `if-range` and `if-none-match` mean, the provider decides of its own file.
_ASKED = (b"range", b"if-range", b"if-none-match")
_PASSED = (b"content-range", b"etag", b"last-modified")
_NOSNIFF = (b"x-content-type-options", b"nosniff")
_ANY_SITE = (b"cross-origin-resource-policy", b"cross-origin")
_HARMLESS = ("image/", "video/", "audio/")
_SVG = "image/svg+xml"
_AGE = 3600


class Files:
    """Serves files of tasks."""

    def __init__(
        self,
        db: Database,
        client: Client,
        storages: Storages,
        settings: Callable[[], AssetSettings] = AssetSettings,
        *,
        keep: bool = True,
    ) -> None:
        """`keep`: the operator wants files to be kept."""
        self.keep = keep
        self._db = db
        self._client = client
        self._storages = storages
        self._settings = settings

    async def find(self, asset_id: str) -> AssetRow:
        """A file by its id; NotFound, Gone."""
        async with self._db.reading() as tx:
            if asset_id.startswith(OF_USERS):
                return _there(served(await own_files.find(tx, asset_id, now=now_ms())))
            return _there(await rows.find(tx, asset_id))

    async def add(self, call_id: str, user_id: str, place: int, data: bytes, told: str, *, until: int) -> Asset:
        """Keep a picture of an answer as file number `place` of its call, until then (ms since 1970, 0: for ever).

        Raises StoreUnavailable; nothing is left behind then.
        """
        storage = self._storages.open()
        kind = media_type(data, told)
        now = now_ms()
        row = AssetRow(
            id=ids.new("ast"),
            task_id=call_id,
            user_id=user_id,
            kind="image",
            media_type=kind,
            source="",
            private=False,
            place=place,
            state="deleted",  # until it is there: whoever dies before leaves a row that says what to remove
            store=storage.name,
            size=len(data),
            digest=sha256(data).digest(),
            created_at=now,
            due_at=now,
            ends_at=now + ABANDONED_MS,
        )
        row = dataclasses.replace(row, path=place_of(row, kind))
        async with self._db.writing() as tx:
            await rows.add(tx, [row])
        try:
            async with asyncio.timeout(SECONDS):
                await storage.put(row.path, _once(data), most=len(data), media_type=kind)
            async with self._db.writing() as tx:
                if not await rows.written(tx, row, until=until):
                    raise StoreUnavailable(detail=f"{row.id} was given up while it was written")
        except BaseException as error:
            await self._give_up(row)
            if isinstance(error, TimeoutError):
                raise StoreUnavailable(detail=f"{row.id} could not be written in {SECONDS} s") from None
            raise
        return dataclasses.replace(row, state="kept", ends_at=until).asset

    async def _give_up(self, row: AssetRow) -> None:
        """Remove what there is of a file that could not be written; where that fails, it is done when its row ends."""
        with suppress(StoreUnavailable):
            await self._storages.open(row.store).delete(row.path)
            async with self._db.writing() as tx:
                await rows.note_removed(tx, row.id, again=row.ends_at)
                await rows.forget(tx, row.id)

    async def open(self, asset_id: str, *, most: int) -> Opened:
        """A file to be read once, of at most so many bytes: from our storage, else from where its provider has it.

        Raises NotFound, Gone, Refused, TooLarge (from its pieces too), UpstreamError, StoreUnavailable.
        """
        row = await self.find(asset_id)
        if row.state == "kept" and row.size <= most:
            found = await self._storages.open(row.store).get(row.path)
            if found is not None:
                return Opened(media_type=row.media_type, pieces=found.pieces, close=lambda: None)
        settings = self._settings()
        bounded = replace(settings, file_bytes=min(most, settings.file_bytes))
        opened = await open_source(self._client, row, bounded)
        return Opened(media_type=opened.media_type, pieces=_bounded(opened.pieces, most), close=opened.close)

    async def serve(
        self,
        x: Exchange,
        row: AssetRow,
        *,
        headers: tuple[Header, ...] = (),
        seconds: int = _AGE,
        download: bool = False,
    ) -> None:
        """Reply with a file, or with what of it was asked for.

        `seconds`: for how long the caller may keep it. `download`: as something to save. Raises before the reply begins:
        RangeNotThere; BadAnswer, UpstreamError (502, 504) where the provider does not give it; StoreUnavailable.
        """
        head = (*headers, _NOSNIFF, _ANY_SITE, (b"cache-control", b"private, max-age=%d" % min(seconds, _AGE)))
        reply = _Reply(x, row, head, download=download)
        if row.state != "kept" and (found := inline(row.source)) is not None:
            reply.whole(found.body, media_type(found.body, found.media_type, told=row.media_type))
        elif not (row.state == "kept" and (await self._kept(reply, row) or await self._moved(reply, row))):
            if isinstance(row, Served):
                raise StoreUnavailable(detail=f"{row.id} is not where its row says: {row.store} {row.path}")
            await self._passed(reply, row)

    async def _kept(self, reply: "_Reply", row: AssetRow) -> bool:
        """Reply from our storage; False where it is not there, though it should be."""
        tag = f'"{row.digest.hex()[:32]}"'
        begun = reply.begin(tag, row.size)
        if begun is None:
            return True
        start, stop = begun
        found = await self._storages.open(row.store).get(row.path, start, stop)
        if found is None or found.size != row.size:
            return False
        await reply.carry(found, row.media_type, tag, start, stop)
        return True

    async def _moved(self, reply: "_Reply", row: AssetRow) -> bool:
        """Reply from our storage, where the file has been moved since we looked for it."""
        now = await self.find(row.id)
        return (now.state, now.store) != (row.state, row.store) and await self._kept(reply, now)

    async def _passed(self, reply: "_Reply", row: AssetRow) -> None:
        """Reply with what the provider answers."""
        x = reply.x
        asked = tuple((name, value) for name in _ASKED if (value := x.header(name)) is not None)
        if several((x.header(b"range") or b"").decode("latin-1")):
            asked = tuple(one for one in asked if one[0] == b"if-none-match")
        limits = Timeouts(connect=10, first_byte=60, idle=30, total=self._settings().copy_seconds)
        try:
            answer = await fetch(self._client, row.source, limits, private=row.private, headers=asked)
        except UpstreamError as error:
            raise _unfetched(error.detail) from None
        try:
            await reply.passed(answer, self._settings().file_bytes)
        finally:
            answer.abort()


class _Reply:
    """One reply with a file."""

    def __init__(self, x: Exchange, row: AssetRow, head: tuple[Header, ...], *, download: bool) -> None:
        self.x = x
        self._row = row
        self._head = head
        self._download = download

    def begin(self, tag: str, size: int) -> tuple[int, int] | None:
        """What of a file is to be sent; None where the caller has it, which they were told."""
        if known(_text(self.x, b"if-none-match"), tag):
            self.x.reply(304, (*self._head, (b"etag", tag.encode())), b"")
            return None
        asked = read_range(_text(self.x, b"range"), size) if still(_text(self.x, b"if-range"), tag) else None
        return asked or (0, size)

    def whole(self, body: bytes, kind: str) -> None:
        """A file that is at hand."""
        tag = f'"{self._row.id}"'
        begun = self.begin(tag, len(body))
        if begun is not None:
            status, head = self._ranged(tag, *begun, len(body))
            self.x.reply(status, (*head, *self._typed(kind)), body[slice(*begun)])

    async def carry(self, found: Found, kind: str, tag: str, start: int, stop: int) -> None:
        """A file from our storage."""
        x = self.x
        status, head = self._ranged(tag, start, stop, found.size)
        x.start(status, (*head, *self._typed(kind)), stop - start)
        if x.method == b"HEAD":
            x.end()
            return
        try:
            async for piece in found.pieces:
                if x.write(piece):
                    await x.drain()
        except StoreUnavailable:
            x.cut()
            raise
        x.end()

    async def passed(self, answer: Answer, most: int) -> None:
        """A file as the provider gives it."""
        x, status = self.x, answer.status
        head = [*self._head, *((name, value) for name in _PASSED if (value := answer.header(name)) is not None)]
        if status in (304, 416):
            x.reply(status, head, b"")
            return
        coding = answer.header(b"content-encoding") or b"identity"
        length = _length(answer)
        if status not in (200, 206) or coding.lower() != b"identity":
            raise _unfetched(f"status {status}, content-encoding {coding.decode('latin-1')[:40]}")
        if (length or 0) > most:
            raise _unfetched(f"larger than {most} bytes")
        said = plain((answer.header(b"content-type") or b"").decode("latin-1"))
        begin = await _first(answer) if status == 200 else b""
        kind = media_type(begin, said, told=self._row.media_type, url=self._row.source)
        if begin and not fits(self._row.kind, kind):
            raise _unfetched(f"{kind} in place of {self._row.kind}")
        x.start(status, (*head, (b"accept-ranges", b"bytes"), *self._typed(kind)), length)
        if x.method != b"HEAD":
            await self._pour(begin, answer, most)
        x.end()

    async def _pour(self, begin: bytes, answer: Answer, most: int) -> None:
        x, left, piece = self.x, most, begin or await answer.piece()
        try:
            while piece is not None:
                left -= len(piece)
                if left < 0:
                    raise TooLarge(detail=f"the file of {self._row.id} has no end")
                if x.write(piece):
                    await x.drain()
                piece = await answer.piece()
        except (UpstreamError, TooLarge):
            x.cut()
            raise

    def _ranged(self, tag: str, start: int, stop: int, size: int) -> tuple[int, list[Header]]:
        """Status and headers of a file of which all or a range is sent."""
        head = [*self._head, (b"etag", tag.encode()), (b"accept-ranges", b"bytes")]
        if (start, stop) == (0, size) and not self._asked_for(size, tag):
            return 200, head
        return 206, [*head, (b"content-range", b"bytes %d-%d/%d" % (start, stop - 1, size))]

    def _asked_for(self, size: int, tag: str) -> bool:
        """Whether a range was asked for that is all of the file."""
        return still(_text(self.x, b"if-range"), tag) and read_range(_text(self.x, b"range"), size) is not None

    def _typed(self, kind: str) -> list[Header]:
        """Headers of a type."""
        row = self._row
        told = row.filename if isinstance(row, Served) else f"{row.task_id}-{row.place + 1}.{ending(kind, row.source)}"
        name = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "_" for c in told)
        manner = "attachment" if self._download else "inline"
        shown = f"{kind}; charset=utf-8" if kind.startswith("text/") else kind or UNKNOWN
        said = f'{manner}; filename="{name}"' + ("" if name == told else f"; filename*=UTF-8''{quote(told, safe='')}")
        found = [(b"content-type", shown.encode()), (b"content-disposition", said.encode())]
        return found if kind.startswith(_HARMLESS) and kind != _SVG else [*found, SANDBOX]


async def _bounded(pieces: AsyncIterator[bytes], most: int) -> AsyncIterator[bytes]:
    left = most
    async for piece in pieces:
        left -= len(piece)
        if left < 0:
            raise TooLarge(f"The file is larger than {most} bytes.")
        yield piece


def _there(row: AssetRow | None) -> AssetRow:
    if row is None:
        raise NotFound("There is no such file.")
    if row.state == "deleted":
        raise Gone("This file was deleted when its term was over.")
    return row


def _unfetched(detail: str) -> BadAnswer:
    return BadAnswer("The file could not be fetched from its provider.", detail=detail)


def _text(x: Exchange, name: bytes) -> str | None:
    value = x.header(name)
    return None if value is None else value.decode("latin-1")


def _length(answer: Answer) -> int | None:
    value = answer.header(b"content-length") or b""
    return int(value) if value.isdigit() and len(value) < 19 else None


async def _first(answer: Answer) -> bytes:
    try:
        return await answer.piece() or b""
    except UpstreamError as error:
        raise _unfetched(error.detail) from None


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
