"""Forms as they come (`multipart/form-data`): fields to memory, files to the spool, read no faster than they are written.

The grammar is python_multipart's; what it leaves open is decided here. A form is refused where two readers could see
different things in it (RFC 7578): a part without a name, a coded part, one with two headers of a kind.
"""

import re
from urllib.parse import unquote

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from unigate.base.errors import BadRequest, TooLarge, UnsupportedMediaType
from unigate.http.exchange import Exchange
from unigate.spec.form import FilePart, Form, FormBounds, Part
from unigate.store.spool import HELD, Spool, Spooled

#: Bytes of short files of one form that stay in memory; further ones go to the disk however short they are.
_HELD_TOGETHER = 4 * HELD
_READ = (b"content-disposition", b"content-type", b"content-transfer-encoding")
_PLAIN = ("", "7bit", "8bit", "binary")
_CONTROLS = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_ESCAPES = re.compile(rb'["\\%]')
#: How some clients write a name that is not ASCII; the parser leaves it out.
_EXTENDED = re.compile(rb";\s*filename\*=(?:utf-8|UTF-8)'[^']*'([^;\s]+)")


async def read_form(x: Exchange, spool: Spool, bounds: FormBounds, most: int) -> Form:
    """The form in a request's body, of `most` bytes at most; whoever gets it closes it.

    Raises UnsupportedMediaType, BadRequest, TooLarge; StoreUnavailable where the disk does not take it. Then, as when it
    is cancelled, nothing is left of what came.
    """
    reader = _Reader(_boundary(x.header(b"content-type")), spool, bounds)
    try:
        if (x.content_length or 0) > most:
            raise TooLarge
        while data := await x.body():
            if x.received > most:
                raise TooLarge
            reader.feed(data)
            await reader.write()
        return reader.end()
    except BaseException:
        reader.close()
        raise


def _boundary(content_type: bytes | None) -> bytes:
    kind, options = parse_options_header((content_type or b"").decode("latin-1"))
    if kind != b"multipart/form-data":
        shown = kind.decode("ascii", "replace")
        raise UnsupportedMediaType(f"Unsupported content type '{shown}'. This endpoint takes multipart/form-data.")
    boundary = options.get(b"boundary", b"")
    if not 0 < len(boundary) <= 70:
        raise BadRequest("The content type names no boundary that a form may have.")
    return boundary


class _Reader:
    """What was read of a form so far. The methods named `_on_...` are called by the parser."""

    def __init__(self, boundary: bytes, spool: Spool, bounds: FormBounds) -> None:
        self._spool = spool
        self._bounds = bounds
        self._parts: list[Part | FilePart] = []
        self._begun = 0
        self._headers: dict[bytes, bytes] = {}
        self._name, self._value = b"", b""
        #: Of the part that is being read: its name and type, and what came of it.
        self._part = ("", "")
        self._field = bytearray()
        self._file: Spooled | None = None
        self._filename = ""
        #: Bytes of all fields, and of files that stay in memory.
        self._fields = self._held = 0
        #: Files of which something waits for the disk.
        self._unwritten: list[Spooled] = []
        self._ended = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._on_part_begin,
                "on_header_field": self._on_header_field,
                "on_header_value": self._on_header_value,
                "on_header_end": self._on_header_end,
                "on_headers_finished": self._on_headers_finished,
                "on_part_data": self._on_part_data,
                "on_part_end": self._on_part_end,
                "on_end": self._on_end,
            },
        )

    def feed(self, data: bytes) -> None:
        """Read on."""
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise _broken(str(error)) from None

    async def write(self) -> None:
        """Take to the disk what is too much for memory."""
        if self._file is not None and (self._file.full or not self._file.at_hand):
            self._unwritten.append(self._file)
        unwritten, self._unwritten = self._unwritten, []
        for file in unwritten:
            await file.write()

    def end(self) -> Form:
        """All of it; BadRequest where the closing boundary has not come."""
        if not self._ended:
            raise _broken("it ends before its last boundary")
        return Form(tuple(self._parts))

    def close(self) -> None:
        """Give up what was read."""
        Form(tuple(self._parts)).close()
        if self._file is not None:
            self._file.close()

    def _on_part_begin(self) -> None:
        self._begun += 1
        if self._begun > self._bounds.parts:
            raise TooLarge(f"The form has more than {self._bounds.parts} parts.")
        self._headers = {}
        self._name = self._value = b""

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        name = self._name.lower()
        if name in self._headers and name in _READ:
            raise _broken("a part has a header twice")
        if _CONTROLS.search(self._value):
            raise _broken("a part's header has a control character")
        self._headers[name] = self._value
        self._name = self._value = b""

    def _on_headers_finished(self) -> None:
        said = self._headers.get(b"content-disposition", b"")
        kind, options = parse_options_header(said.decode("latin-1"))
        if kind != b"form-data" or not options.get(b"name"):
            raise _broken("a part has no name")
        if self._headers.get(b"content-transfer-encoding", b"").decode("latin-1").strip().lower() not in _PLAIN:
            raise _broken("a part has a transfer encoding")
        self._part = (_name(options[b"name"]), self._headers.get(b"content-type", b"").decode("latin-1").strip())
        filename = options.get(b"filename")
        if filename is None and (extended := _EXTENDED.search(said)) is not None:
            filename = unquote(extended[1].decode("latin-1")).encode()
        if filename is None:
            self._field = bytearray()
        else:
            self._filename = filename.decode("utf-8", "replace")
            self._file = self._spool.file()

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._file is not None:
            self._file.add(data[start:end])
            return
        self._fields += end - start
        if self._fields > self._bounds.fields:
            raise TooLarge(f"The form's fields are larger than {self._bounds.fields} bytes.")
        self._field += data[start:end]

    def _on_part_end(self) -> None:
        name, media_type = self._part
        file = self._file
        if file is None:
            self._parts.append(Part(name=name, value=bytes(self._field), media_type=media_type))
            return
        self._file = None
        self._parts.append(
            FilePart(name=name, filename=self._filename, media_type=media_type, size=file.size, source=file)
        )
        if file.at_hand and not file.full and self._held + file.size <= _HELD_TOGETHER:
            self._held += file.size
        else:
            self._unwritten.append(file)

    def _on_end(self) -> None:
        self._ended = True


def _name(value: bytes) -> str:
    """A part's name; refused where readers undo the escapes in one differently, so that it may be `model` to the next."""
    if _ESCAPES.search(value):
        raise _broken("a part's name has a quote, backslash or percent sign")
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise _broken("a part's name is not UTF-8") from None


def _broken(why: str) -> BadRequest:
    return BadRequest(f"The form could not be read: {why}.")
