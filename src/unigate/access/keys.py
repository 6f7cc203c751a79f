"""Callers' keys on the hot path: found in memory by their HMAC, loaded once, forgotten when any key changed.

A key at rest is its HMAC-SHA256 with `secret`; neither memory nor database holds the key itself. Creating and
changing keys is the business of `manage/`.
"""

import asyncio
import secrets
import string
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from hashlib import sha256
from ipaddress import IPv6Address, ip_address, ip_network

import msgspec

from unigate.access.secrets import Vault
from unigate.base.clock import monotonic
from unigate.base.errors import Forbidden, InvalidKey, StoreUnavailable
from unigate.spec.caller import Group, Key
from unigate.spec.operation import Operation
from unigate.store import keys as rows
from unigate.store.database import ConstraintFailed, Database

#: Keys remembered, and unknown ones remembered as such; the oldest leaves first.
MAX_KNOWN = 100_000
MAX_UNKNOWN = 20_000
#: Seconds for which an unknown key is not asked after again.
UNKNOWN_FOR = 5.0
#: Longer ones are unknown without asking.
MAX_LENGTH = 512

#: Bytes of a block of SHA-256.
_BLOCK = 64
_ALPHABET = string.ascii_letters + string.digits


def new_secret() -> str:
    """A fresh key: `sk-` and 48 letters and digits (285 bits)."""
    return "sk-" + "".join(secrets.choice(_ALPHABET) for _ in range(48))


class Digest:
    """HMAC-SHA256 (RFC 2104) with one secret, whose share is computed once: a third of what `hmac.digest` takes."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, secret: str) -> None:
        key = secret.encode()
        key = (sha256(key).digest() if len(key) > _BLOCK else key).ljust(_BLOCK, b"\0")
        self._inner = sha256(bytes(b ^ 0x36 for b in key))
        self._outer = sha256(bytes(b ^ 0x5C for b in key))

    def __call__(self, presented: bytes) -> bytes:
        """What is kept of a key."""
        inner = self._inner.copy()
        inner.update(presented)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.digest()


class Keys:
    """The keys that this process has seen, in one event loop."""

    def __init__(
        self,
        db: Database,
        secret: str,
        others: Sequence[str] = (),
        *,
        known: int = MAX_KNOWN,
        unknown: int = MAX_UNKNOWN,
    ) -> None:
        """`others`: secrets that keys may still be known by; such a key is taken over when it is used."""
        self._db = db
        self._digest = Digest(secret)
        #: Seals what is handed to callers and comes back with them.
        self.vault = Vault(secret, *others)
        self._secret_id = self.vault.id
        self._others = [Digest(other) for other in others]
        self._max_known = known
        self._max_unknown = unknown
        self._known: dict[bytes, Key] = {}
        #: Those that were asked for by their id, which are few.
        self._by_id: dict[str, Key] = {}
        #: Digest -> moment (monotonic) from which it may be asked after again.
        self._unknown: dict[bytes, float] = {}
        self._loading: dict[bytes, asyncio.Task[Key | None]] = {}
        self._epoch = 0

    def find(self, presented: bytes) -> Key | None:
        """The key if it is in memory; None says nothing: `load` knows."""
        return self._known.get(self._digest(presented))

    async def load(self, presented: bytes) -> Key | None:
        """The key from the database, None where there is no such key; StoreUnavailable.

        Callers of the same key wait for one look-up.
        """
        if len(presented) > MAX_LENGTH:
            return None
        name = self._digest(presented)
        until = self._unknown.get(name)
        if until is not None:
            if monotonic() < until:
                return None
            del self._unknown[name]
        task = self._loading.get(name)
        if task is None:
            older = [digest(presented) for digest in self._others]
            task = self._loading[name] = asyncio.get_running_loop().create_task(self._load(name, older))
            task.add_done_callback(partial(self._loaded, name))
        return await asyncio.shield(task)

    async def named(self, key_id: str) -> Key | None:
        """The key with an id, None where there is none; StoreUnavailable."""
        key = self._by_id.get(key_id)
        if key is not None:
            return key
        epoch = self._epoch
        async with self._db.reading() as tx:
            found = await rows.by_id(tx, key_id)
        if found is None:
            return None
        key = caller(*found)
        if epoch == self._epoch:
            if len(self._by_id) >= self._max_unknown:
                self._by_id.clear()
            self._by_id[key_id] = key
        return key

    def forget(self) -> None:
        """Some key, user or group changed: ask anew for each."""
        self._epoch += 1
        self._by_id.clear()
        self._known.clear()
        self._unknown.clear()
        # A look-up that is under way may have read the old row: nobody who comes from now on shares it.
        self._loading.clear()

    def check(self, key: Key, model: str | None, address: str, now_ms: int, operation: Operation) -> None:
        """Whether the key may do this now; raises InvalidKey (disabled, `key_expired`) or Forbidden.

        `address` is the caller's, as text; `model` None where the operation names none.
        """
        if not key.enabled:
            raise InvalidKey("This API key has been disabled.")
        if key.expires_at is not None and now_ms >= key.expires_at and not operation.answers_expired:
            raise InvalidKey("This API key has expired.", code="key_expired")
        if operation.scope is not None and operation.scope not in key.scopes:
            raise Forbidden(f"This API key lacks the scope '{operation.scope}'.")
        if key.addresses and not _address_allowed(key, address):
            raise Forbidden(f"This API key may not be used from {address}.", code="address_not_allowed")
        if model is not None and not self.allows_model(key, model):
            raise Forbidden(f"This API key may not use the model '{model}'.", code="model_not_allowed", param="model")

    @staticmethod
    def allows_model(key: Key, model: str) -> bool:
        """Whether the key's list names this model, or has a pattern for it."""
        for pattern in key.models:
            if pattern in ("*", model):
                return True
            before, star, after = pattern.partition("*")
            if star and len(model) >= len(before) + len(after) and model.startswith(before) and model.endswith(after):
                return True
        return False

    async def _load(self, name: bytes, older: Sequence[bytes]) -> Key | None:
        epoch = self._epoch
        async with self._db.reading() as tx:
            found = await rows.by_digest(tx, name)
            for digest in older:
                found = found or await rows.by_digest(tx, digest)
        if found is not None and found[0].digest != name:
            await self._take_over(found[0], name)
        key = caller(*found) if found is not None else None
        if epoch == self._epoch:
            self._remember(name, key)
        return key

    async def _take_over(self, row: rows.KeyRow, name: bytes) -> None:
        """Know a key by today's secret from now on. Where that can't be written now, it is when it is next loaded."""
        with suppress(StoreUnavailable, ConstraintFailed):
            async with self._db.writing() as tx:
                await rows.known_by(tx, row.id, row.digest, name, self._secret_id)

    def _remember(self, name: bytes, key: Key | None) -> None:
        if key is not None:
            if len(self._known) >= self._max_known:
                del self._known[next(iter(self._known))]
            self._known[name] = key
            return
        if len(self._unknown) >= self._max_unknown:
            del self._unknown[next(iter(self._unknown))]
        self._unknown[name] = monotonic() + UNKNOWN_FOR

    def _loaded(self, name: bytes, task: asyncio.Task[Key | None]) -> None:
        if self._loading.get(name) is task:
            del self._loading[name]
        if not task.cancelled():
            task.exception()  # whoever waits gets it; nobody may be waiting any more


def caller(key: rows.KeyRow, owner: rows.KeyOwner) -> Key:
    """A key as the hot path knows it, from its row and its owner's."""
    return Key(
        id=key.id,
        name=key.name,
        last4=key.last4,
        user_id=owner.id,
        user_name=owner.name,
        group=Group(id=owner.group_id, name=owner.group_name, multiplier=owner.multiplier),
        wallet_id=owner.wallet_id,
        role=owner.role,
        scopes=msgspec.json.decode(key.scopes, type=frozenset[str]),
        models=msgspec.json.decode(key.models, type=tuple[str, ...]),
        addresses=tuple(ip_network(text) for text in msgspec.json.decode(key.addresses, type=list[str])),
        expires_at=key.expires_at,
        enabled=bool(key.enabled and owner.enabled and owner.group_enabled),
        budgets=msgspec.json.decode(key.budgets, type=dict[str, int]),
        rpm=key.rpm,
        tpm=key.tpm,
        concurrency=key.concurrency,
        user_view=bool(key.user_view),
        keep_days=key.keep_days,
        options=msgspec.json.decode(key.options, type=dict[str, object]),
    )


def _address_allowed(key: Key, address: str) -> bool:
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return any(found in network for network in key.addresses)
