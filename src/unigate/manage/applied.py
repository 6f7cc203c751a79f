"""What applying a config file did, and the rules that all its sections share."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from unigate.base.config_reader import ConfigError, Section
from unigate.base.errors import CallerError
from unigate.store.generations import Kind

S = TypeVar("S", bound=Section)


@dataclass(slots=True)
class Applied:
    """Names (`channel openai-main`) of what was created, changed, and is no longer named by the file."""

    #: Value of `owned_by` for what the file names.
    owner: str
    created: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    #: What other processes keep in memory and have to read again.
    kinds: set[Kind] = field(default_factory=set)

    @property
    def changed(self) -> bool:
        """Whether anything is different now."""
        return bool(self.created or self.updated or self.left)


@contextmanager
def at(entry: Section) -> Iterator[None]:
    """Turns a use case's refusal into an error of the file at the entry's place."""
    try:
        yield
    except CallerError as error:
        raise ConfigError(entry.at, error.message) from None


def check_twice(entries: list[S], names: list[str], what: str) -> None:
    """ConfigError where the file names a thing twice."""
    seen: set[str] = set()
    for entry, name in zip(entries, names, strict=True):
        if name in seen:
            raise ConfigError(entry.at, f"the {what} {name!r} stands here twice")
        seen.add(name)
