"""Channels, operations and clocks for the tests of routing."""

from collections.abc import Mapping

from unigate.routing.choice import Event, Router, Rules
from unigate.spec.channel import Channel
from unigate.spec.operation import Operation
from unigate.spec.provider import Credential, Provider

CHAT = Operation(
    name="openai.chat", method="POST", path="/v1/chat/completions", dialect="openai_chat", family="chat", body="json"
)
OPENAI = Provider(name="openai", title="OpenAI", base_url="https://api.test/v1", speaks=("openai_chat",))
MUTE = Provider(name="mute", title="Mute", base_url="https://mute.test", speaks=("suno",))


class Clock:
    """A clock that moves when told."""

    def __init__(self, at: float = 1000.0) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


def channel(
    name: str,
    *,
    credentials: int = 1,
    models: Mapping[str, str] | None = None,
    priority: int = 0,
    weight: int = 1,
    concurrency: int = 0,
    rpm: int = 0,
    groups: frozenset[str] = frozenset({"default"}),
    enabled: bool = True,
    provider: Provider = OPENAI,
    secret: str = "s",
    base_url: str = "https://api.test/v1",
) -> Channel:
    """A channel whose id is its name and whose credentials are `name-0`, `name-1`, .."""
    return Channel(
        id=name,
        name=name,
        provider=provider,
        base_url=base_url,
        credentials=tuple(Credential(f"{name}-{n}", secret) for n in range(credentials)),
        models=models if models is not None else {"m": "m"},
        groups=groups,
        priority=priority,
        weight=weight,
        concurrency=concurrency,
        rpm=rpm,
        enabled=enabled,
    )


class World:
    """A router with a clock of its own and the events that it told."""

    def __init__(self, *channels: Channel, rules: Rules | None = None, draw: float | None = None) -> None:
        self.clock = Clock()
        self.events: list[Event] = []
        self.router = Router(
            channels,
            rules=rules,
            clock=self.clock,
            draw=(lambda: draw) if draw is not None else None,
            notify=self.events.append,
        )

    def names(self, model: str = "m", group: str = "default") -> list[str]:
        """Credentials of the candidates, in order."""
        return [candidate.credential.id for candidate in self.router.routes(model, group, CHAT)]

    def told(self) -> list[str]:
        """The events as `kind channel-or-credential reason`."""
        return [f"{e.kind} {e.credential or e.channel.name} {e.reason}" for e in self.events]
