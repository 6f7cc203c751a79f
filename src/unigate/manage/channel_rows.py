"""A channel as the file or the shell names it, as rows of the database, and back. Pure but for sealing."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from unigate.access.secrets import CannotOpen, Vault, last4
from unigate.base import ids
from unigate.base.clock import now_ms
from unigate.base.config_reader import Secret
from unigate.base.errors import BadRequest
from unigate.base.settings import ChannelEntry, ChannelLimits, ChannelTimeouts, Url
from unigate.manage.desk import check_name, json_text
from unigate.spec.provider import Credential, Provider
from unigate.store.channels import ChannelRow, CredentialRow
from unigate.upstream import endpoint

#: A credential as it is given: a text, or named parts.
Given = str | Mapping[str, str]


def channel_row(entry: ChannelEntry, providers: Mapping[str, Provider], groups: frozenset[str]) -> ChannelRow:
    """The row of a new channel, its options not sealed yet (`seal_options`); BadRequest."""
    _check(entry, providers, groups)
    return ChannelRow(
        id=ids.new("ch"),
        name=check_name(entry.name, "channel"),
        provider=entry.provider,
        base_url=str(entry.base_url or ""),
        models=json_text(_models(entry.models)),
        groups=json_text(sorted(set(entry.groups))),
        priority=entry.priority,
        weight=entry.weight,
        concurrency=entry.limits.concurrency,
        rpm=entry.limits.rpm,
        timeouts=json_text({name: round(value * 1000) for name, value in _timeouts(entry.timeouts).items()}),
        options=json_text(entry.options) if entry.options else "",
        enabled=int(entry.enabled),
        owned_by="",
        created_at=now_ms(),
    )


def entry_of(row: ChannelRow, vault: Vault) -> ChannelEntry:
    """A channel of the database in the form in which it is named, without credentials; CannotOpen."""
    seconds = {name: ms / 1000 for name, ms in msgspec.json.decode(row.timeouts, type=dict[str, int]).items()}
    return ChannelEntry(
        name=row.name,
        provider=row.provider,
        base_url=Url(row.base_url) if row.base_url else None,
        models=msgspec.json.decode(row.models, type=dict[str, str]),
        groups=msgspec.json.decode(row.groups, type=list[str]),
        priority=row.priority,
        weight=row.weight,
        limits=ChannelLimits(concurrency=row.concurrency, rpm=row.rpm),
        timeouts=msgspec.convert(seconds, ChannelTimeouts),
        options=open_options(row, vault),
        enabled=bool(row.enabled),
    )


def seal_options(row: ChannelRow, vault: Vault, old: ChannelRow | None = None) -> ChannelRow:
    """The row with its options sealed; what `old` holds stays as it is where it says the same."""
    if not row.options:
        return row
    if old is not None and old.options and vault.fresh(old.options):
        try:
            if json_text(open_options(old, vault)) == row.options:
                return replace(row, options=old.options)
        except CannotOpen:
            pass
    return replace(row, options=vault.seal(row.options, f"options:{row.id}"))


def open_options(row: ChannelRow, vault: Vault) -> dict[str, object]:
    """The options of a row; CannotOpen."""
    if not row.options:
        return {}
    return msgspec.json.decode(vault.open(row.options, f"options:{row.id}"), type=dict[str, object])


def given_credentials(entry: ChannelEntry) -> list[Given]:
    """The credentials that an entry names, as plain values."""
    some = entry.credentials if isinstance(entry.credentials, list) else [entry.credentials]
    return [
        one.reveal() if isinstance(one, Secret) else {name: part.reveal() for name, part in one.items()} for one in some
    ]


def credential_rows(
    channel_id: str, given: list[Given], known: list[CredentialRow], vault: Vault
) -> tuple[list[CredentialRow], list[CredentialRow], list[str]]:
    """What to insert, what to change, and the ids to drop, so that the channel has exactly the given credentials.

    One that is given again keeps its id and its state.
    """
    by_print = {row.fingerprint: row for row in known}
    new, changed = [], []
    for position, one in enumerate(given):
        text = _credential_text(one)
        row = next((by_print.pop(known) for known in vault.fingerprints(text) if known in by_print), None)
        if row is None:
            new.append(_new_credential(channel_id, position, one, text, vault))
            continue
        sealed = row.sealed if vault.fresh(row.sealed) else vault.seal(text, f"credential:{row.id}")
        if (row.position, row.sealed) != (position, sealed):
            changed.append(replace(row, position=position, sealed=sealed))
    if len({row.fingerprint for row in new}) < len(new):
        raise BadRequest("The same credential is given twice.")
    return new, changed, [row.id for row in by_print.values()]


def open_credential(row: CredentialRow, vault: Vault) -> Credential:
    """The credential of a row; CannotOpen."""
    value = msgspec.json.decode(vault.open(row.sealed, f"credential:{row.id}"), type=str | dict[str, str])
    if isinstance(value, str):
        return Credential(row.id, value)
    return Credential(row.id, value.get("secret", ""), value)


def shown_options(options: Mapping[str, object]) -> dict[str, object]:
    """Options as they may be shown: values of headers, passwords in addresses, and what is named as a secret blanked."""
    shown: dict[str, object] = {}
    for name, value in options.items():
        if name == "headers" and isinstance(value, Mapping):
            shown[name] = dict.fromkeys(map(str, value), "***")
        elif any(word in name.lower() for word in ("secret", "password", "token")):
            shown[name] = "***"
        elif isinstance(value, str) and "@" in value:
            shown[name] = repr(Url(value))[1:-1]
        else:
            shown[name] = value
    return shown


def _check(entry: ChannelEntry, providers: Mapping[str, Provider], groups: frozenset[str]) -> None:
    provider = providers.get(entry.provider)
    if provider is None:
        raise BadRequest(f"There is no provider {entry.provider!r}; known are {', '.join(sorted(providers))}.")
    base_url, proxy = entry.base_url or provider.base_url, entry.options.get("proxy")
    if base_url is None:
        raise BadRequest(f"A channel of the provider {entry.provider!r} needs a base_url.")
    try:
        endpoint(base_url, proxy=str(proxy) if proxy else None)
    except ValueError as error:
        raise BadRequest(f"{entry.name}: {error}.") from None
    missing = [name for name in provider.needs if name not in entry.options]
    if missing:
        raise BadRequest(f"A channel of the provider {entry.provider!r} needs the options {', '.join(missing)}.")
    unknown = sorted(set(entry.groups) - groups)
    if unknown or not entry.groups:
        raise BadRequest(f"There is no group {unknown[0]!r}." if unknown else "A channel needs at least one group.")


def _models(given: Any) -> dict[str, str]:
    names = {"*": "*"} if given == "*" else given if isinstance(given, Mapping) else {name: name for name in given}
    for public, upstream in names.items():
        if not public or "*" in public[:-1] or not upstream:
            raise BadRequest(f"A model's name may have a '*' at its end only, not {public!r}: {upstream!r}.")
    return dict(names)


def _timeouts(timeouts: ChannelTimeouts) -> dict[str, float]:
    return {name: getattr(timeouts, name) for name in ("connect", "first_byte", "idle", "total")}


def _credential_text(one: Given) -> str:
    if not one or (not isinstance(one, str) and not all(one.values())):
        raise BadRequest("A credential is a text, or named texts, and not empty.")
    return json_text(one)


def _new_credential(channel_id: str, position: int, one: Given, text: str, vault: Vault) -> CredentialRow:
    id = ids.new("cred")
    shown = one if isinstance(one, str) else list(one.values())[-1]
    return CredentialRow(
        id=id,
        channel_id=channel_id,
        position=position,
        sealed=vault.seal(text, f"credential:{id}"),
        fingerprint=vault.fingerprint(text),
        last4=last4(shown),
        enabled=1,
        created_at=now_ms(),
    )
