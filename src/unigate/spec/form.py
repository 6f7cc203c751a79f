"""Form: a body of named parts (`multipart/form-data`, RFC 7578) as it was read.

Values only; where a file's bytes lie is its source's business.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import BinaryIO, Protocol


class Source(Protocol):
    """The bytes of a file, there until its form is closed. Any thread may read; ValueError once closed."""

    @property
    def at_hand(self) -> bool:
        """They are in memory: reading waits for no disk."""
        ...

    def read(self, at: int, size: int) -> bytes:
        """Up to so many bytes from there on; fewer only at the end."""
        ...

    def open(self) -> BinaryIO:
        """A seekable file over them, to be closed by whoever asked for it."""
        ...

    def close(self) -> None:
        """Give up the bytes, and the disk that they take."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A field: a short value."""

    name: str
    value: bytes
    #: As it was declared; "" where it was not.
    media_type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePart:
    """A file. What its sender says of name and type is a claim."""

    name: str
    filename: str
    media_type: str
    #: Bytes.
    size: int
    source: Source


@dataclass(frozen=True, slots=True)
class Form:
    """All parts, in order. A form made from another shares its files."""

    parts: tuple[Part | FilePart, ...]

    def named(self, *names: str) -> tuple[Part | FilePart, ...]:
        """The parts of these names, in order."""
        return tuple(part for part in self.parts if part.name in names)

    def files(self) -> tuple[FilePart, ...]:
        """The files, in order."""
        return tuple(part for part in self.parts if isinstance(part, FilePart))

    def without(self, names: Iterable[str]) -> "Form":
        """The form without the parts of these names."""
        left_out = frozenset(names)
        return Form(tuple(part for part in self.parts if part.name not in left_out))

    def with_value(self, name: str, value: bytes) -> "Form":
        """The form with this value in place of the fields of that name, or behind all others where there is none."""
        found = self.named(name)
        if not found:
            return Form((*self.parts, Part(name=name, value=value)))
        first = found[0]
        made = replace(first, value=value) if isinstance(first, Part) else Part(name=name, value=value)
        return Form(tuple(made if part is first else part for part in self.parts if part is first or part.name != name))

    def close(self) -> None:
        """Give up all files."""
        for file in self.files():
            file.source.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class FormBounds:
    """What a form may have beside the bytes of its whole body."""

    parts: int = 64
    #: Bytes of all fields together: they stay in memory.
    fields: int = 1 << 20
