"""Who calls and who pays: Group, User, Key."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Users with a common price multiplier (millionths) and common channels."""

    id: str
    name: str
    multiplier: int = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A caller's API key with its owner; what the hot path needs to know, read once and kept until it changes."""

    id: str
    name: str
    last4: str
    user_id: str
    user_name: str
    group: Group
    #: The account in the ledger that pays.
    wallet_id: str
    role: str = "user"
    scopes: frozenset[str] = frozenset({"relay"})
    #: Names or patterns with one `*`; ("*",) allows all.
    models: tuple[str, ...] = ("*",)
    #: Empty: every address.
    addresses: tuple[IPv4Network | IPv6Network, ...] = ()
    #: Milliseconds since 1970, None: never.
    expires_at: int | None = None
    enabled: bool = True
    #: Budgets in nano-USD by period `day`, `month`, `total`.
    budgets: Mapping[str, int] = field(default_factory=dict)
    #: 0 = none.
    rpm: int = 0
    tpm: int = 0
    concurrency: int = 0
    #: False: the key may only see its own numbers (`type=token`).
    user_view: bool = True
    #: Days for which prompts and answers of its calls are kept, 0: they are not.
    keep_days: int = 0
    #: What it says of its calls, by name; see base/key_options.py.
    options: Mapping[str, object] = field(default_factory=dict)

    @property
    def limited(self) -> bool:
        """Whether any rate limit applies."""
        return bool(self.rpm or self.tpm or self.concurrency)
