"""Events that accounts are told of: what they are called, to whom they are told, and by whom they are asked for.

Names of the form `standard`, and of the family of gateways whose form is `newapi`, where it has one.
https://github.com/QuantumNous/new-api (dto/notify.go)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Role = Literal["user", "operator"]
TEST, OFF = "test", "target.off"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountEvent:
    """A kind of event."""

    #: Who may ask for it.
    roles: tuple[Role, ...]
    #: Who is told without asking for it.
    told: tuple[Role, ...] = ()
    #: Its name in the form `newapi`; "": the same. Those that have one are limited in number.
    newapi: str = ""


_CHANNEL = AccountEvent(roles=("operator",), told=("operator",), newapi="channel_update")
_USER = AccountEvent(roles=("user",), told=("user",))
_ASKED = AccountEvent(roles=("user",))
_OPERATOR = AccountEvent(roles=("operator",), told=("operator",))
EVENTS: Mapping[str, AccountEvent] = {
    "balance.low": AccountEvent(roles=("user",), told=("user",), newapi="quota_exceed"),
    "balance.empty": _USER,
    "key.budget": _USER,
    "key.expiring": _USER,
    "task.succeeded": _ASKED,
    "task.failed": _ASKED,
    "topup.done": _USER,
    "channel.parked": _CHANNEL,
    "channel.recovered": _CHANNEL,
    "credential.parked": _CHANNEL,
    "user.balance_low": AccountEvent(roles=("operator",), newapi="user_quota_warning_for_admin"),
    "price.changed": AccountEvent(roles=("user", "operator"), told=("operator",)),
    "price.missing": _OPERATOR,
    "ledger.mismatch": _OPERATOR,
    "system.backlog": _OPERATOR,
}


def roles_of(role: str) -> tuple[Role, ...]:
    """As what somebody of a role of ours is told: operators are users as well."""
    return ("user",) if role == "user" else ("user", "operator")


def may_ask(event: str, role: str) -> bool:
    """Whether somebody of that role may ask for an event."""
    return event in EVENTS and any(one in EVENTS[event].roles for one in roles_of(role))


def wants(event: str, role: str, asked: list[str]) -> bool:
    """Whether a target of somebody of that role is told; `asked` empty: of what is told without asking."""
    if event in {TEST, OFF}:
        return True
    if asked:
        return event in asked and may_ask(event, role)
    return event in EVENTS and any(one in EVENTS[event].told for one in roles_of(role))


def newapi_name(event: str) -> str:
    """What an event is called in the form `newapi`."""
    known = EVENTS.get(event)
    return known.newapi if known is not None and known.newapi else event


def limited_with(event: str) -> list[str]:
    """The events that count together where their number is limited; none: it is not."""
    known = EVENTS.get(event)
    if known is None or not known.newapi:
        return []
    return [name for name, other in EVENTS.items() if other.newapi == known.newapi]
