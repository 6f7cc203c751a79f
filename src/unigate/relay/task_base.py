"""The address by which callers reach us: what links begin with."""

import re

from unigate.base.live_settings import LiveSettings
from unigate.spec.exchange import Exchange

_HOST = re.compile(rb"[A-Za-z0-9._-]{1,253}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?")


def base_of(x: Exchange, settings: LiveSettings) -> str:
    """Scheme and authority (`https://ai.example.com`), without a slash at the end.

    The operator's, where it is set; else as the caller names us, which misleads nobody but them: what is made of it goes
    to them alone. A proxy that ends TLS says so in `x-forwarded-proto`.
    """
    if settings.public_url:
        return settings.public_url.rstrip("/")
    host = x.header(b"host") or b""
    if not _HOST.fullmatch(host):
        host = b"127.0.0.1"
    secure = (x.header(b"x-forwarded-proto") or b"").partition(b",")[0].strip().lower() == b"https"
    return ("https://" if secure else "http://") + host.decode("ascii")
