"""TLS contexts, one per set of options; and the allocator's setting without which TLS is slow.

A context with the system's certificates costs some 30 ms to make, so they are kept.
"""

import ctypes
import functools
import ssl
import sys
from pathlib import Path

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # mallopt(3)
_MIB = 1024 * 1024


class Contexts:
    """The client's TLS contexts. `ca_file`: certificates to trust in place of the system's."""

    def __init__(self, ca_file: str | None = None) -> None:
        self._ca_file = ca_file
        self._kept: dict[tuple[bool, str | None], ssl.SSLContext] = {}

    def get(self, *, verify: bool, ca_file: str | None) -> ssl.SSLContext:
        """The context for these options. OSError where the file of certificates can't be read."""
        key = (verify, (ca_file or self._ca_file) if verify else None)
        context = self._kept.get(key)
        if context is None:
            keep_freed_memory()
            context = self._kept[key] = _make(verify=key[0], ca_file=key[1])
        return context


def _make(*, verify: bool, ca_file: str | None) -> ssl.SSLContext:
    if verify:
        context = trusting(ca_file)
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    return context


def trusting(ca_file: str | None) -> ssl.SSLContext:
    """A new context that trusts these certificates, None: the system's. OSError where the file can't be read."""
    if ca_file is not None:
        return ssl.create_default_context(cafile=ca_file)
    if sys.platform == "darwin":
        import truststore  # noqa: PLC0415 - asks the keychain; on Linux it would load all certificates per connection

        return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context = ssl.create_default_context()
    if not _system_has_certificates(context):
        import certifi  # noqa: PLC0415 - only where the system has none

        context.load_verify_locations(cafile=certifi.where())
    return context


def _system_has_certificates(context: ssl.SSLContext) -> bool:
    """Whether the system's store holds any: loaded already, or in a folder that OpenSSL looks into by itself."""
    if context.cert_store_stats()["x509_ca"]:
        return True
    folder = ssl.get_default_verify_paths().capath
    return folder is not None and any(Path(folder).glob("*.0"))


@functools.cache
def keep_freed_memory() -> bool:
    """Keep glibc from giving memory back at once; True where that was set.

    uvloop reads TLS into a fresh 256 KB buffer each time. With glibc's own thresholds each of them is mapped and
    unmapped, which halves the throughput over TLS. Elsewhere than with glibc nothing is done.
    """
    if sys.platform != "linux":
        return False
    try:
        libc = ctypes.CDLL(None)
        libc.gnu_get_libc_version  # noqa: B018 - musl has mallopt too, but it does nothing
        return bool(libc.mallopt(_M_TRIM_THRESHOLD, 64 * _MIB) and libc.mallopt(_M_MMAP_THRESHOLD, 32 * _MIB))
    except (OSError, AttributeError):
        return False
