"""Keys and clocks for the tests of limits."""

from unigate.spec.caller import Group, Key

SECOND = 1_000_000_000


class Clock:
    """Nanoseconds that move when told."""

    def __init__(self) -> None:
        self.at = 77 * SECOND

    def __call__(self) -> int:
        return self.at

    def forward(self, seconds: float) -> None:
        """Let time pass."""
        self.at += round(seconds * SECOND)


def key(name: str = "key_1", *, rpm: int = 0, tpm: int = 0, concurrency: int = 0) -> Key:
    """A key with limits."""
    return Key(
        id=name,
        name=name,
        last4="abcd",
        user_id="usr_1",
        user_name="alice",
        group=Group(id="grp_1", name="default"),
        wallet_id="acc_1",
        rpm=rpm,
        tpm=tpm,
        concurrency=concurrency,
    )
