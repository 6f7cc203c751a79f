"""Signatures of what we send to callers' addresses, as Standard Webhooks has them. Knows no database and no socket.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import hmac
import secrets
from base64 import b64decode, b64encode
from binascii import Error as BadBase64
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from unigate.spec.task import Headers

PREFIX = "whsec_"
#: Bytes of a secret.
_LEAST, _MOST, _OURS = 24, 64, 32
#: How long the secret before still signs, after it was changed.
OVERLAP_MS = 86_400_000


class _Sealed(msgspec.Struct, frozen=True):
    """What is sealed in a webhook's row."""

    secret: str
    before: str = ""
    #: Milliseconds since 1970 until when `before` signs too.
    until: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """The secrets of one gateway: those of users follow from its own, the newest first; webhooks may have others.

    `unseal(sealed, context)` opens what the row of a webhook keeps.
    """

    gateway: Sequence[str]
    unseal: Callable[[str, str], str]

    def of_user(self, user_id: str) -> tuple[str, ...]:
        """By which a user's messages are signed."""
        return tuple(user_secret(one, user_id) for one in self.gateway)

    def of_webhook(self, webhook_id: str, user_id: str, sealed: bytes, now: int) -> tuple[str, ...]:
        """By which the messages to a webhook are signed, whose row keeps `sealed`."""
        if not sealed:
            return self.of_user(user_id)
        found = msgspec.json.decode(self.unseal(sealed.decode(), context(webhook_id)), type=_Sealed)
        return (found.secret, found.before) if found.before and now < found.until else (found.secret,)


def context(webhook_id: str) -> str:
    """What the secret of a webhook is sealed for."""
    return f"webhook:{webhook_id}"


def to_seal(secret: str, before: str = "", until: int = 0) -> str:
    """What is to be sealed of a webhook's secret; the one before signs too, until then."""
    return msgspec.json.encode(_Sealed(secret, before, until)).decode()


def user_secret(secret: str, user_id: str) -> str:
    """The secret (`whsec_...`) by which messages to a user are signed; `secret` is the gateway's.

    Its base 64 is the standard one: some receivers part it at each underscore.
    """
    return PREFIX + b64encode(hmac.digest(secret.encode(), f"webhook:{user_id}".encode(), "sha256")).decode()


def new_secret() -> str:
    """A secret at random."""
    return PREFIX + b64encode(secrets.token_bytes(_OURS)).decode()


def is_secret(text: str) -> bool:
    """Whether this can be a secret: `whsec_` and 24 to 64 bytes in base 64."""
    try:
        return text.startswith(PREFIX) and _LEAST <= len(_key(text)) <= _MOST
    except ValueError:
        return False


def sign(secret: str | Sequence[str], id: str, timestamp: int, body: bytes) -> Headers:
    """The three headers that make a message verifiable; by several secrets, any of which a receiver may have.

    `timestamp` is in seconds since 1970.
    """
    signed = b"%s.%d.%s" % (id.encode(), timestamp, body)
    by = (secret,) if isinstance(secret, str) else secret
    signatures = [b"v1," + b64encode(hmac.digest(_key(one), signed, "sha256")) for one in by]
    return (
        (b"webhook-id", id.encode()),
        (b"webhook-timestamp", b"%d" % timestamp),
        (b"webhook-signature", b" ".join(signatures)),
    )


def _key(secret: str) -> bytes:
    try:
        return b64decode(secret.removeprefix(PREFIX), validate=True)
    except BadBase64 as error:
        raise ValueError("the secret is not base 64") from error
