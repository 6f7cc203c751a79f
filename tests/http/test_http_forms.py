"""Forms as they come: what is read of them, what is refused, and that nothing is left of them."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from http_kit import Caller, Wire, head, until, wire

from unigate.base.errors import StoreUnavailable
from unigate.http.exchange import Exchange
from unigate.http.forms import read_form
from unigate.http.state import Limits
from unigate.spec.form import FilePart, Form, FormBounds, Part
from unigate.store.spool import HELD, Spool

TYPE = b"Content-Type: multipart/form-data; boundary=XX"
BOUNDS = FormBounds(parts=6, fields=1000)
MOST = 8 << 20


def field(name: bytes, value: bytes, *more: bytes) -> bytes:
    lines = (b'--XX\r\nContent-Disposition: form-data; name="%b"' % name, *more, b"", value, b"")
    return b"\r\n".join(lines)


def file(name: bytes, value: bytes, filename: bytes = b"a.mp3", *more: bytes) -> bytes:
    disposition = b'--XX\r\nContent-Disposition: form-data; name="%b"; filename="%b"' % (name, filename)
    return b"\r\n".join((disposition, b"Content-Type: audio/mpeg", *more, b"", value, b""))


END = b"--XX--\r\n"


def posted(body: bytes, *headers: bytes, kind: bytes = TYPE) -> bytes:
    return head(b"Host: a", kind, b"Content-Length: %d" % len(body), *headers) + body


def open_files(folder: Path) -> int:
    """Files below a folder that this process has open, with a name or without."""
    found = 0
    for opened in Path("/proc/self/fd").iterdir():
        try:
            found += str(opened.readlink()).startswith(str(folder))
        except OSError:  # the one of the listing itself
            continue
    return found


@asynccontextmanager
async def taking(
    folder: Path, *, limits: Limits | None = None, most: int = MOST, reserve: int = 0
) -> AsyncIterator[tuple[Wire, list[Form]]]:
    """A server that reads forms and tells of them; they stay open until the end."""
    forms: list[Form] = []
    spool = Spool(folder, reserve=reserve)

    async def handler(x: Exchange) -> None:
        form = await read_form(x, spool, BOUNDS, most)
        forms.append(form)
        x.reply(200, (), b"%d" % len(form.parts))

    async with wire(handler, limits) as w:
        yield w, forms
    for form in forms:
        form.close()
    assert not open_files(folder)
    assert not list(folder.glob("*"))


def seen(form: Form) -> list[tuple[str, str | None, str, bytes]]:
    """Everything that is in a form."""
    return [
        (part.name, None, part.media_type, part.value)
        if isinstance(part, Part)
        else (part.name, part.filename, part.media_type, part.source.read(0, part.size + 1))
        for part in form.parts
    ]


LARGE = os.urandom(HELD * 3 + 17)
SMALL = b"\r\n--X\r\n--XY\r\n" * 30
BODY = field(b"model", b"whisper-1") + file(b"file", LARGE) + field(b"note", "ü".encode()) + file(b"image", SMALL) + END
PARTS = [
    ("model", None, "", b"whisper-1"),
    ("file", "a.mp3", "audio/mpeg", LARGE),
    ("note", None, "", "ü".encode()),
    ("image", "a.mp3", "audio/mpeg", SMALL),
]


async def test_a_form_is_read_in_one_piece_and_in_many(tmp_path: Path) -> None:
    async with taking(tmp_path / "spool") as (w, forms):
        caller = await w.ask(posted(BODY))
        assert (await caller.reply()).body == b"4"
        await caller.send_cut(posted(BODY), 1999)
        assert (await caller.reply()).body == b"4"
        coded = b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in (BODY[:7], BODY[7:3000], BODY[3000:])) + b"0\r\n\r\n"
        await caller.send(head(b"Host: a", TYPE, b"Transfer-Encoding: chunked") + coded)
        assert (await caller.reply()).body == b"4"
        old = b"POST / HTTP/1.0\r\n%b\r\nContent-Length: %d\r\n\r\n%b" % (TYPE, len(BODY), BODY)
        assert (await (await w.ask(old)).reply()).body == b"4"
        assert [seen(form) for form in forms] == [PARTS] * 4
        assert [part.source.at_hand for part in forms[0].files()] == [False, True]


def _has(w: Wire, size: int) -> Callable[[], bool]:
    """Whether so much of a body has come."""
    return lambda: (x := w.serving()) is not None and x.received == size


async def test_a_small_form_cut_anywhere_is_the_same_form(tmp_path: Path) -> None:
    body = field(b"a", b"1") + file(b"f", b"\r\n--X\r\n--", b'\xc3\xbc".mp3') + END
    async with taking(tmp_path) as (w, forms):
        caller = await w.connect()
        for at in range(1, len(body)):
            raw = posted(body)
            place = len(raw) - len(body) + at
            await caller.send(raw[:place])
            await until(_has(w, at))
            await caller.send(raw[place:])
            assert (await caller.reply()).status == 200
        assert len({tuple(seen(form)) for form in forms}) == 1


async def test_a_form_is_awaited_by_continue(tmp_path: Path) -> None:
    async with taking(tmp_path) as (w, forms):
        body = field(b"a", b"1") + END
        caller = await w.ask(head(b"Host: a", TYPE, b"Content-Length: %d" % len(body), b"Expect: 100-continue"))
        assert (await caller.reply()).status == 100
        await caller.send(body)
        assert (await caller.reply()).status == 200
        assert seen(forms[0]) == [("a", None, "", b"1")]
        caller = await w.ask(head(b"Host: a", TYPE, b"Content-Length: %d" % (MOST + 1), b"Expect: 100-continue"))
        assert (await caller.reply()).status == 413
        caller = await w.ask(
            head(b"Host: a", b"Content-Type: text/plain", b"Content-Length: 9", b"Expect: 100-continue")
        )
        assert (await caller.reply()).status == 415


async def test_what_is_said_of_a_part(tmp_path: Path) -> None:
    body = (
        field(b"say[hi]", b"", b"Content-Type: application/json")
        + file(b"f", b"1", b"C:\\music\\a.mp3")
        + b"--XX\r\ncontent-disposition: form-data; name=f; filename*=UTF-8''na%C3%AFve.mp3\r\nX-Other: 1\r\n\r\n2\r\n"
        + file(b"f", b"", b"")
        + b"--XX-- and what follows"
    )
    async with taking(tmp_path) as (w, forms):
        assert (
            await (await w.ask(posted(body, kind=TYPE.replace(b"XX", b'"XX"; charset=utf-8')))).reply()
        ).status == 200
        assert seen(forms[0]) == [
            ("say[hi]", None, "application/json", b""),
            ("f", "a.mp3", "audio/mpeg", b"1"),
            ("f", "naïve.mp3", "", b"2"),
            ("f", "", "audio/mpeg", b""),
        ]


REFUSED = {
    "no boundary": (posted(BODY, kind=b"Content-Type: multipart/form-data"), 400),
    "a boundary that is too long": (posted(BODY, kind=TYPE + b"X" * 80), 400),
    "another boundary": (posted(BODY, kind=TYPE.replace(b"XX", b"YY")), 400),
    "no type": (posted(BODY, kind=b"X-Nothing: 1"), 415),
    "another type": (posted(BODY, kind=b"Content-Type: application/json"), 415),
    "another multipart": (posted(BODY, kind=TYPE.replace(b"form-data", b"mixed")), 415),
    "no end": (posted(BODY.removesuffix(END)), 400),
    "half an end": (posted(BODY.removesuffix(b"--\r\n")), 400),
    "nothing": (posted(b""), 400),
    "no form": (posted(b'{"model": "whisper-1"}'), 400),
    "no name": (posted(b"--XX\r\nContent-Disposition: form-data\r\n\r\n1\r\n" + END), 400),
    "no disposition": (posted(b"--XX\r\nContent-Type: text/plain\r\n\r\n1\r\n" + END), 400),
    "an attachment": (posted(b'--XX\r\nContent-Disposition: attachment; name="a"\r\n\r\n1\r\n' + END), 400),
    "two dispositions": (posted(field(b"a", b"1", b'Content-Disposition: form-data; name="b"') + END), 400),
    "a coded part": (posted(file(b"a", b"MQ==", b"f", b"Content-Transfer-Encoding: base64") + END), 400),
    "a line break in a header": (posted(file(b"a", b"1", b"f", b"X-Other: a\nContent-Type: b") + END), 400),
    "a name that some read as another": (posted(field(b"mo\\\\del", b"1") + END), 400),
    "a name with a quote": (posted(field(b'a\\"', b"1") + END), 400),
    "a name that some decode": (posted(field(b"%6dodel", b"1") + END), 400),
    "a name that is no text": (posted(field(b"\xff", b"1") + END), 400),
    "a head without end": (posted(b"--XX\r\nX-Other: " + b"a" * 9000 + b"\r\n\r\n1\r\n" + END), 400),
    "too many headers": (posted(field(b"a", b"1", *(b"X-%d: 1" % n for n in range(99))) + END), 400),
    "too many parts": (posted(field(b"a", b"") * (BOUNDS.parts + 1) + END), 413),
    "fields that are too large": (posted(field(b"a", b"1" * 600) * 2 + END), 413),
    "a body that is too large": (posted(file(b"a", b"1" * MOST) + END), 413),
}


@pytest.mark.parametrize(("raw", "status"), REFUSED.values(), ids=REFUSED)
async def test_forms_that_are_refused(tmp_path: Path, raw: bytes, status: int) -> None:
    async with taking(tmp_path) as (w, forms):
        caller = await w.connect()
        sending = asyncio.ensure_future(caller.send(raw))
        assert (await caller.reply()).status == status
        await asyncio.wait([sending])
        sending.exception()
        assert not forms


async def test_a_body_without_length_that_is_too_large(tmp_path: Path) -> None:
    async with taking(tmp_path, most=1 << 20) as (w, forms):
        caller = await w.ask(head(b"Host: a", TYPE, b"Transfer-Encoding: chunked"))
        piece = file(b"f", b"x" * (2 << 20))
        sending = asyncio.ensure_future(caller.send(b"%x\r\n%b" % (len(piece), piece)))
        assert (await caller.reply()).status == 413
        await asyncio.wait([sending])
        sending.exception()
        assert not forms


async def _half(w: Wire, folder: Path) -> Caller:
    """A caller who has sent half of a large file, which lies on the disk by now."""
    caller = await w.ask(posted(file(b"f", LARGE * 10) + END)[: len(LARGE) * 5])
    await until(lambda: open_files(folder))
    return caller


async def test_a_caller_who_leaves_takes_everything_with_them(tmp_path: Path) -> None:
    async with taking(tmp_path) as (w, forms):
        for properly in (True, False):
            caller = await _half(w, tmp_path)
            if properly:
                caller.sock.shutdown(1)
            else:
                caller.sock.setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")  # SO_LINGER: a reset
                caller.close()
            await until(lambda: not (open_files(tmp_path) or w.server.state.tasks))
        assert not forms


async def test_a_caller_who_is_too_slow_is_told_and_nothing_is_left(tmp_path: Path) -> None:
    async with taking(tmp_path, limits=Limits(body_time=0.4)) as (w, forms):
        caller = await _half(w, tmp_path)
        assert (await caller.reply()).status == 408
        await until(lambda: not open_files(tmp_path))
        assert not forms


async def test_a_disk_without_room_refuses_and_leaves_nothing(tmp_path: Path) -> None:
    async with taking(tmp_path, reserve=1 << 62) as (w, forms):
        caller = await w.ask(posted(field(b"a", b"1") + file(b"f", SMALL) + END))
        assert (await caller.reply()).status == 200  # needs no disk
        sending = asyncio.ensure_future(caller.send(posted(BODY)))
        assert (await caller.reply()).status == StoreUnavailable.status
        await asyncio.wait([sending])
        assert len(forms) == 1


async def test_many_short_files_do_not_stay_in_memory(tmp_path: Path) -> None:
    async with taking(tmp_path) as (w, forms):
        caller = await w.ask(posted(file(b"f", b"x" * HELD) * 6 + END))
        assert (await caller.reply()).status == 200
        assert [part.source.at_hand for part in forms[0].files()] == [True] * 4 + [False] * 2
        assert all(
            isinstance(part, FilePart) and part.source.read(0, HELD + 1) == b"x" * HELD for part in forms[0].parts
        )


async def test_a_disk_that_is_slower_than_the_caller_makes_the_caller_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = threading.Event()
    room = Spool.check_room

    def slow(self: Spool) -> None:
        go.wait(20)
        room(self)

    monkeypatch.setattr(Spool, "check_room", slow)
    async with taking(tmp_path) as (w, forms):
        caller = await w.connect()
        sending = asyncio.ensure_future(caller.send(posted(file(b"f", b"x" * (6 << 20)) + END)))
        await until(lambda: w.serving() is not None and w.connection()._paused)
        x = w.serving()
        assert x is not None
        assert x.received < 1 << 20
        assert not sending.done()
        go.set()
        assert (await caller.reply()).status == 200
        await sending
        assert forms[0].files()[0].size == 6 << 20
