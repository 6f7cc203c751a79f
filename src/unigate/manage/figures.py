"""Figures: what each worker of a node leaves in DATA/run once a second for the others and for the command line.

Counters, and what it has learnt of its channels. A file of plain JSON per process; those of dead processes are
removed at the next start.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from unigate.routing import snapshot

_PREFIX = "figures-"


def publish(data: Path, counters: Mapping[str, object], health: Mapping[str, object]) -> None:
    """Leave this process's figures; OSError where that is not possible."""
    path = _path(data)
    path.parent.mkdir(exist_ok=True)
    draft = path.with_suffix(".new")
    draft.write_bytes(msgspec.json.encode({"counters": counters, "health": health}))
    draft.replace(path)


def withdraw(data: Path) -> None:
    """Remove this process's figures."""
    _path(data).unlink(missing_ok=True)


def clear(data: Path) -> None:
    """Remove what earlier processes left; before any worker starts."""
    for path in (data / "run").glob(f"{_PREFIX}*"):
        path.unlink(missing_ok=True)


def counters_of_others(data: Path) -> Iterator[Mapping[str, object]]:
    """The other processes' counters, as of a second ago; also of those that died since the start."""
    own = _path(data).name
    return (figures["counters"] for name, figures in _all(data) if name != own)


def health(data: Path) -> dict[str, object] | None:
    """What all workers have learnt of channels; None where no gateway has run here."""
    found = [figures["health"] for _, figures in _all(data)]
    return snapshot.merge(found) if found else None


def _path(data: Path) -> Path:
    return data / "run" / f"{_PREFIX}{os.getpid()}.json"


def _all(data: Path) -> Iterator[tuple[str, dict[str, dict[str, object]]]]:
    for path in (data / "run").glob(f"{_PREFIX}*.json"):
        with suppress(OSError, msgspec.DecodeError):
            yield path.name, msgspec.json.decode(path.read_bytes(), type=dict[str, dict[str, object]])
