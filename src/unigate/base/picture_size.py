"""Width and height of a picture by its first bytes, for pictures that pass through and are never whole at hand."""

_JPEG_SIZES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})


def picture_size(begin: bytes) -> tuple[int, int] | None:
    """Width and height of a PNG, JPEG, WebP or GIF; None where these bytes do not tell."""
    if begin.startswith(b"\x89PNG\r\n\x1a\n") and len(begin) >= 24:
        return _number(begin[16:20]), _number(begin[20:24])
    if begin[:6] in {b"GIF87a", b"GIF89a"} and len(begin) >= 10:
        return _little(begin[6:8]), _little(begin[8:10])
    if begin[:4] == b"RIFF" and begin[8:12] == b"WEBP" and len(begin) >= 30:
        return _webp(begin)
    return _jpeg(begin) if begin.startswith(b"\xff\xd8") else None


def _webp(begin: bytes) -> tuple[int, int] | None:
    """As https://developers.google.com/speed/webp/docs/riff_container has it."""
    match begin[12:16]:
        case b"VP8X":
            return _little(begin[24:27]) + 1, _little(begin[27:30]) + 1
        case b"VP8L":
            bits = _little(begin[21:25])
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8 ":
            return _little(begin[26:28]) & 0x3FFF, _little(begin[28:30]) & 0x3FFF
        case _:
            return None


def _jpeg(begin: bytes) -> tuple[int, int] | None:
    """The sides stand in the frame's header, behind segments that each say how long they are."""
    at = 2
    while at + 9 <= len(begin) and begin[at] == 0xFF:
        kind = begin[at + 1]
        if kind in _JPEG_SIZES:
            return _number(begin[at + 7 : at + 9]), _number(begin[at + 5 : at + 7])
        at += 2 + _number(begin[at + 2 : at + 4])
    return None


def _number(some: bytes) -> int:
    return int.from_bytes(some, "big")


def _little(some: bytes) -> int:
    return int.from_bytes(some, "little")
