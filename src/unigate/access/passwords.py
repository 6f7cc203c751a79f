"""Passwords of people who sign in: argon2id, never on the event loop and never on the way of a call."""

import asyncio
import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

#: RFC 9106, second recommended choice (64 MiB of memory), the library's default.
_HASHER = PasswordHasher()
#: The least that is accepted where a person chooses.
MIN_LENGTH = 8
MAX_LENGTH = 1024


async def hash_password(password: str) -> str:
    """The text to keep of a password."""
    return await asyncio.to_thread(_HASHER.hash, password)


async def verify_password(kept: str | None, password: str) -> bool:
    """Whether it is the password; takes as long where there is none to compare with, so that names can't be probed."""
    return await asyncio.to_thread(_verify, kept, password)


def outdated(kept: str) -> bool:
    """Whether the password should be hashed anew, since the parameters have changed."""
    return _HASHER.check_needs_rehash(kept)


def new_password() -> str:
    """A password that nobody guesses: 20 characters."""
    return secrets.token_urlsafe(15)


def _verify(kept: str | None, password: str) -> bool:
    if len(password) > MAX_LENGTH:
        return False
    try:
        if kept is None:
            _HASHER.hash(password)
            return False
        return _HASHER.verify(kept, password)
    except (VerificationError, InvalidHashError):
        return False
