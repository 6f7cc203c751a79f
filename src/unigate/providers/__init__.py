"""Vendors as pure code, one small file each. A file here says what differs; the dialect says the rest.

Providers are found by walking this folder and the entry points of the group `unigate.providers`, so that none is ever
added to a list. They do no I/O and know nothing of each other.
"""

import importlib
import pkgutil
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType

from unigate.spec.provider import Provider

#: Packages offer a Provider, or a module with PROVIDER, under this group.
GROUP = "unigate.providers"


@cache
def catalogue() -> Mapping[str, Provider]:
    """All providers by name; ValueError where two have one name or an entry point offers no provider."""
    return collect((*_own(), *offered(entry_points(group=GROUP))))


def collect(providers: Iterable[Provider]) -> Mapping[str, Provider]:
    """Providers by name; ValueError where two have one name."""
    found: dict[str, Provider] = {}
    for provider in providers:
        if provider.name in found:
            raise ValueError(f"two providers are called {provider.name!r}")
        found[provider.name] = provider
    return MappingProxyType(dict(sorted(found.items())))


def offered(points: Iterable[EntryPoint]) -> Iterator[Provider]:
    """The providers that entry points offer; ValueError where one offers something else."""
    for point in points:
        offered = point.load()
        provider = getattr(offered, "PROVIDER", offered)
        if not isinstance(provider, Provider):
            raise ValueError(f"the entry point {point.value!r} offers no provider")  # noqa: TRY004
        yield provider


def _own() -> Iterator[Provider]:
    for info in pkgutil.iter_modules(__path__):
        yield importlib.import_module(f"{__name__}.{info.name}").PROVIDER
