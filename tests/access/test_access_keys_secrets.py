"""Secrets at rest and passwords."""

import pytest

from unigate.access.passwords import hash_password, new_password, outdated, verify_password
from unigate.access.secrets import CannotOpen, Vault, last4


def test_what_is_sealed_is_opened_and_tells_nothing() -> None:
    vault = Vault("secret")
    sealed = vault.seal("sk-upstream", "credential:1")
    assert "sk-upstream" not in sealed
    assert vault.seal("sk-upstream", "credential:1") != sealed, "a nonce is never used twice"
    assert Vault("secret").open(sealed, "credential:1") == "sk-upstream"
    assert "secret" not in repr(vault)


@pytest.mark.parametrize(
    "change", [lambda s: s[:-3] + "AAA", lambda s: s[:-8], lambda s: s + "x", lambda s: "v2" + s[2:]]
)
def test_what_was_changed_is_not_opened(change: object) -> None:
    vault = Vault("secret")
    sealed = vault.seal("sk-upstream-credential", "credential:1")
    with pytest.raises(CannotOpen):
        vault.open(change(sealed), "credential:1")  # type: ignore[operator]


def test_rows_cannot_be_swapped() -> None:
    vault = Vault("secret")
    with pytest.raises(CannotOpen):
        vault.open(vault.seal("sk", "credential:1"), "credential:2")


def test_after_a_change_of_secret_the_old_one_opens() -> None:
    sealed = Vault("old").seal("sk", "c")
    with pytest.raises(CannotOpen, match="another secret"):
        Vault("new").open(sealed, "c")
    both = Vault("new", "old")
    assert both.open(sealed, "c") == "sk"
    assert not both.fresh(sealed)
    assert both.fresh(both.seal("sk", "c"))


def test_fingerprints_tell_equal_from_different() -> None:
    vault = Vault("secret")
    assert vault.fingerprint("a") == Vault("secret").fingerprint("a")
    assert vault.fingerprint("a") != vault.fingerprint("b")
    assert vault.fingerprint("a") != Vault("other").fingerprint("a")


def test_short_secrets_show_nothing() -> None:
    assert (last4("sk-1234567890"), last4("hunter2")) == ("7890", "")


async def test_passwords() -> None:
    kept = await hash_password("correct horse")
    assert "correct" not in kept
    assert await verify_password(kept, "correct horse")
    assert not await verify_password(kept, "correct horse ")
    assert not await verify_password(None, "correct horse")
    assert not await verify_password("no hash at all", "correct horse")
    assert not await verify_password(kept, "x" * 5000)
    assert not outdated(kept)
    assert outdated("$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA")
    assert len(new_password()) == 20 and new_password() != new_password()
