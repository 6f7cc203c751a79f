"""Addresses that callers name: whether one is an address at all. Nothing is looked up or fetched here."""

from urllib.parse import urlsplit


def plain(told: object, *, login: bool = True) -> bool:
    """Whether a value is an address of http or https with a host; `login` False: and without anybody's name before it."""
    if not isinstance(told, str) or not told.isprintable():
        return False
    try:
        parts = urlsplit(told)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return good and (login or "@" not in parts.netloc)
