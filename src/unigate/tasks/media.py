"""Types of media: told by a file's first bytes, and the ending of a name for each. Pure."""

import mimetypes
import re
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

#: First bytes that are enough.
SNIFFED = 512
UNKNOWN = "application/octet-stream"
#: (offset, bytes) -> type. Formats in boxes (RIFF, ISO media, Matroska) are told apart below.
_SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (0, b"BM", "image/bmp"),
    (0, b"II*\x00", "image/tiff"),
    (0, b"MM\x00*", "image/tiff"),
    (0, b"\x00\x00\x01\x00", "image/x-icon"),
    (0, b"\xff\x0a", "image/jxl"),
    (0, b"\x00\x00\x00\x0cJXL \r\n\x87\n", "image/jxl"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"OggS", "audio/ogg"),
    (0, b"fLaC", "audio/flac"),
    (0, b"FLV\x01", "video/x-flv"),
    (0, b"\x00\x00\x01\xba", "video/mpeg"),
    (0, b"\x00\x00\x01\xb3", "video/mpeg"),
    (0, b"%PDF-", "application/pdf"),
    (0, b"glTF", "model/gltf-binary"),
    (0, b"PK\x03\x04", "application/zip"),
)
_RIFF: Mapping[bytes, str] = {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}
#: ISO base media: the major brand, ISO/IEC 14496-12 section 4.3.
_BRANDS: Mapping[bytes, str] = {
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"mif1": "image/heif",
    b"M4A ": "audio/mp4",
    b"M4B ": "audio/mp4",
    b"qt  ": "video/quicktime",
    b"3gp4": "video/3gpp",
    b"3gp5": "video/3gpp",
}
#: Endings that the system's table does not know, or not everywhere alike.
_ENDINGS: Mapping[str, str] = {
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "image/avif": "avif",
    "image/heic": "heic",
    "image/jxl": "jxl",
    "audio/mpeg": "mp3",
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/ogg": "ogg",
    "audio/flac": "flac",
    "audio/mp4": "m4a",
    "audio/aac": "aac",
    "video/mp4": "mp4",
    "video/webm": "webm",
    "video/quicktime": "mov",
    "video/x-msvideo": "avi",
    "model/gltf-binary": "glb",
    "text/plain": "txt",
    "application/json": "json",
    UNKNOWN: "bin",
}
_MEDIA = ("image/", "video/", "audio/")
_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+")
#: What a server says of anything that it does not know.
_UNTOLD = ("", UNKNOWN, "binary/octet-stream", "application/binary")


def sniff(begin: bytes) -> str:
    """The type of a file by its first bytes; "" where they say nothing."""
    for at, signature, kind in _SIGNATURES:
        if begin[at : at + len(signature)] == signature and (signature != b"BM" or begin[6:10] == bytes(4)):
            return kind
    if begin[:4] == b"RIFF":
        return _RIFF.get(begin[8:12], "")
    if begin[4:8] == b"ftyp":
        return _BRANDS.get(begin[8:12], "video/mp4")
    if begin[:4] == b"\x1a\x45\xdf\xa3":
        return "video/webm" if b"webm" in begin[:64] else "video/x-matroska"
    if len(begin) > 3 and begin[0] == 0xFF and begin[1] & 0xE0 == 0xE0 and begin[1] & 0x18 != 0x08:
        # A frame of MPEG audio; layer 00 is that of AAC in ADTS.
        return "audio/aac" if begin[1] & 0x06 == 0 else "audio/mpeg"
    return _text(begin)


def media_type(begin: bytes, content_type: str, *, told: str = "", url: str = "") -> str:
    """The type of a file: by its first bytes, else as its server says, else as its provider or its address does."""
    said = plain(content_type)
    seen = sniff(begin)
    if seen and not (seen == "text/plain" and said not in _UNTOLD):
        return seen
    by_name = mimetypes.guess_type(_path(url))[0]
    return next((kind for kind in (said, plain(told), by_name or "") if kind not in _UNTOLD), seen or UNKNOWN)


def fits(kind: str, found: str) -> bool:
    """Whether a type can be that of a task's output; a page of text is no picture, whatever its address says."""
    return kind not in ("image", "video", "audio") or found == UNKNOWN or found.startswith(_MEDIA)


def plain(content_type: str) -> str:
    """A content type without its parameters, in lower case; "" where it is none."""
    kind = content_type.partition(";")[0].strip().lower()
    return kind if _TYPE.fullmatch(kind) else ""


def ending(kind: str, url: str = "") -> str:
    """The ending of a name for a type (`png`); of an unknown one that of its address, else `bin`."""
    found = _ENDINGS.get(kind) or (mimetypes.guess_extension(kind) or "").removeprefix(".")
    if kind in _UNTOLD or not found:
        name = _path(url).rpartition("/")[2]
        found = name.rpartition(".")[2].lower() if "." in name else ""
    return found if found.isascii() and found.isalnum() and len(found) <= 8 else "bin"


def _path(url: str) -> str:
    """The path of an address; "" where it has none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return "" if parts.scheme == "data" else unquote(parts.path)


def _text(begin: bytes) -> str:
    """Marked-up and plain text, where it is one."""
    head = begin.removeprefix(b"\xef\xbb\xbf").lstrip()[:256].lower()
    if head.startswith((b"<!doctype html", b"<html")):
        return "text/html"
    if head.startswith(b"<svg") or (head.startswith(b"<?xml") and b"<svg" in head):
        return "image/svg+xml"
    if begin and not any(byte < 9 or 13 < byte < 32 for byte in begin[:SNIFFED]):
        try:
            begin[:SNIFFED].decode()
        except UnicodeDecodeError as error:
            return "text/plain" if error.start > len(begin[:SNIFFED]) - 4 else ""
        return "text/plain"
    return ""
