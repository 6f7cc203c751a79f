"""Reads the words of a document: plain text of any kind (text, Markdown, CSV, JSON, code), PDF, and Word's docx.

Of a PDF only texts in one-byte encodings are found, which is what simple writers make. Nothing is rendered.
"""

import io
import re
import zipfile
import zlib

#: Characters that are read of a document, and bytes of one of its compressed parts.
_MOST = 2_000_000
_MOST_BYTES = 8_000_000
_BEGUN, _ENDED = re.compile(rb"\bBT\b"), re.compile(rb"\bET\b")
#: Characters of a sentence; longer ones are cut into several.
_LONGEST = 500
#: A string, or an operator that begins a new line.
_SHOWN = re.compile(rb"\(((?:\\.|[^\\()])*)\)|(T\*|\bTd\b|\bTD\b|\bTm\b|['\"])", re.DOTALL)
_ESCAPE = re.compile(r"\\(?:([0-7]{1,3})|(.))", re.DOTALL)
_ESCAPED = {"n": "\n", "r": "\n", "t": "\t", "b": "", "f": "", "\n": ""}
_PARAGRAPH = re.compile(r"</w:p>")
_TAG = re.compile(r"<[^<>]+>")
_ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'"), ("&amp;", "&"))
_SENTENCE = re.compile(r"(?<=[.!?])\s+|(?<=[\u3002\uff01\uff1f])|\n+")


def text(data: bytes) -> str:
    """The words of a document; empty where it has none that can be read."""
    if data.startswith(b"%PDF-"):
        return _pdf(data)[:_MOST]
    if data.startswith(b"PK\x03\x04"):
        return _docx(data)[:_MOST]
    try:
        return data.decode("utf-8-sig")[:_MOST]
    except UnicodeDecodeError:
        return ""


def sentences(text: str) -> list[str]:
    """The sentences and lines of a text."""
    found = (" ".join(one.split()) for one in _SENTENCE.split(text))
    return [one[at : at + _LONGEST] for one in found for at in range(0, len(one), _LONGEST)]


def _pdf(data: bytes) -> str:
    found = []
    for part in data.split(b"endstream")[:-1]:
        content = _inflated(part.partition(b"stream")[2].removeprefix(b"\r").removeprefix(b"\n"))
        for block in _ENDED.split(content)[:-1]:
            words = _BEGUN.split(block, 1)[-1]
            shown = (_string(one[1]) if one[2] is None else "\n" for one in _SHOWN.finditer(words))
            found.append("".join(shown).strip())
    return "\n".join(part for part in found if part)


def _inflated(data: bytes) -> bytes:
    """The content of a stream; as it is where it is not compressed."""
    try:
        return zlib.decompressobj().decompress(data, _MOST_BYTES)
    except zlib.error:
        return data


def _string(raw: bytes) -> str:
    def plain(found: re.Match[str]) -> str:
        return chr(int(found[1], 8)) if found[1] else _ESCAPED.get(found[2], found[2])

    return _ESCAPE.sub(plain, raw.decode("cp1252", "replace"))


def _docx(data: bytes) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive, archive.open("word/document.xml") as part:
            xml = part.read(_MOST_BYTES).decode("utf-8", "replace")
    except (zipfile.BadZipFile, KeyError, OSError, RuntimeError, NotImplementedError, EOFError, zlib.error):
        return ""
    words = _TAG.sub("", _PARAGRAPH.sub("\n", xml))
    for entity, character in _ENTITIES:
        words = words.replace(entity, character)
    return words
