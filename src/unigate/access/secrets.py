"""Secrets at rest: providers' credentials are sealed with a key that is derived from the operator's `secret`.

AES-256-GCM with a random nonce; the key comes from HKDF-SHA256 (RFC 5869). What is sealed names the key that it was
sealed with, so that after a change of `secret` it is known which old one opens it. Must not see callers' keys:
those are kept as an HMAC only (`keys.py`).
"""

import hmac
import os
from base64 import b64decode, urlsafe_b64encode
from binascii import Error as BadBase64

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_VERSION = "v1"
_NONCE = 12
#: Shorter secrets show nothing of themselves.
_LONG = 12


class CannotOpen(Exception):
    """Something sealed cannot be opened: with another `secret`, or it was changed."""


class _Key:
    __slots__ = ("box", "id")

    def __init__(self, secret: str) -> None:
        self.id = _derive(secret, b"unigate name of sealing key", 6).hex()
        self.box = AESGCM(_derive(secret, b"unigate sealing key", 32))


class Vault:
    """Seals with the newest secret and opens with whichever of them it was."""

    def __init__(self, secret: str, *older: str) -> None:
        self._newest = _Key(secret)
        self._keys = {key.id: key for key in (*map(_Key, older), self._newest)}
        self._marks = [_derive(each, b"unigate fingerprints", 32) for each in (secret, *older)]

    def __repr__(self) -> str:
        return f"Vault({self._newest.id})"

    @property
    def id(self) -> str:
        """A name of the newest secret that tells nothing about it."""
        return self._newest.id

    @property
    def ids(self) -> frozenset[str]:
        """The names of all secrets that open something here."""
        return frozenset(self._keys)

    def seal(self, text: str, context: str) -> str:
        """`text` sealed, as printable text; `context` (an id) must be the same to open it, so rows can't be swapped."""
        nonce = os.urandom(_NONCE)
        sealed = nonce + self._newest.box.encrypt(nonce, text.encode(), context.encode())
        return f"{_VERSION}.{self._newest.id}.{urlsafe_b64encode(sealed).decode()}"

    def open(self, sealed: str, context: str) -> str:
        """The text that was sealed; CannotOpen."""
        version, _, rest = sealed.partition(".")
        name, _, body = rest.partition(".")
        if version != _VERSION or name not in self._keys:
            raise CannotOpen(f"{context} was sealed with another secret ({name or 'unknown'})")
        try:
            raw = b64decode(body, b"-_", validate=True)
            return self._keys[name].box.decrypt(raw[:_NONCE], raw[_NONCE:], context.encode()).decode()
        except (InvalidTag, BadBase64, ValueError):
            raise CannotOpen(f"what is sealed of {context} was changed") from None

    def fresh(self, sealed: str) -> bool:
        """Whether the newest secret sealed it."""
        return sealed.startswith(f"{_VERSION}.{self._newest.id}.")

    def fingerprint(self, text: str) -> bytes:
        """Tells whether two secrets are the same without keeping either."""
        return hmac.digest(self._marks[0], text.encode(), "sha256")

    def fingerprints(self, text: str) -> list[bytes]:
        """By what a secret may be known: the newest fingerprint first, then those of the other secrets."""
        return [hmac.digest(mark, text.encode(), "sha256") for mark in self._marks]


def last4(text: str) -> str:
    """The last characters of a secret, to recognise it by; fewer or none of a short one."""
    return text[-4:] if len(text) >= _LONG else ""


def _derive(secret: str, purpose: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=purpose).derive(secret.encode())
