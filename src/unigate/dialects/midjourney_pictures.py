"""Pictures that a request carries: as base64 with or without the head of a data URL, or as an address.

Only the first bytes are looked at, which tell what a file is; whether all of it can be drawn is the server's to find out.
"""

import re
from base64 import b64decode

from unigate.dialects import addresses
from unigate.dialects.midjourney_errors import Refused

#: Bytes of one picture at most.
MAX_BYTES = 20 * 1024 * 1024
_DATA = re.compile(r"data:image/[a-zA-Z0-9.+-]{1,40}(?:;[a-zA-Z0-9=._-]{1,60})*;base64,")
_DIGITS = re.compile(rb"[A-Za-z0-9+/_-]*={0,2}")
#: Characters of base64 that hold enough to know a picture by.
_HEAD = 64


def check(value: object, *, address: bool = True) -> str:
    """The picture as it came; Refused where it is none. `address`: it may be one, of http or https."""
    if not isinstance(value, str):
        raise Refused("base64格式错误")
    if address and value.startswith(("http://", "https://")):
        return checked_address(value)
    found = _DATA.match(value)
    digits = value[found.end() :] if found else value
    if not digits.isascii() or not _DIGITS.fullmatch(digits.encode()):
        raise Refused("base64格式错误")
    if len(digits) // 4 * 3 > MAX_BYTES:
        raise Refused("图片大小超出限制")
    bare = digits.rstrip("=")
    if len(bare) % 4 == 1 or not _is_picture(bare):
        raise Refused("base64格式错误")
    return value


def decoded(picture: str) -> bytes:
    """The bytes of a picture that was checked and is no address."""
    found = _DATA.match(picture)
    digits = (picture[found.end() :] if found else picture).rstrip("=")
    return b64decode(digits + "=" * (-len(digits) % 4), altchars=b"-_" if "-" in digits or "_" in digits else None)


def checked_address(value: object) -> str:
    """An address of http or https with a host; Refused."""
    if addresses.plain(value):
        return str(value)
    raise Refused("base64格式错误")


def _is_picture(digits: str) -> bool:
    data = decoded(digits[:_HEAD])
    return (
        data.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a"))
        or (data[:4] == b"RIFF" and data[8:12] == b"WEBP")
    )  # fmt: skip
