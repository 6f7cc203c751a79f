"""A prompt as a model sees it, whatever dialect it came in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Role = Literal["system", "user", "assistant", "tool"]
Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture in a prompt; the size is None where only an address is known."""

    kind: str
    width: int | None
    height: int | None
    detail: str = "auto"


@dataclass(frozen=True, slots=True)
class Sound:
    """A sound in a prompt."""

    kind: str
    #: Length in milliseconds.
    ms: int


@dataclass(frozen=True, slots=True)
class File:
    """A document in a prompt."""

    name: str
    size: int
    #: What stands in it; empty where that cannot be read.
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A call of a tool; `arguments` is JSON text, or free text for a custom tool."""

    id: str
    name: str
    arguments: str
    custom: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One message."""

    role: Role
    text: str = ""
    pictures: tuple[Picture, ...] = ()
    sounds: tuple[Sound, ...] = ()
    files: tuple[File, ...] = ()
    calls: tuple[ToolCall, ...] = ()
    #: For the result of a tool: which call it answers.
    answers: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A tool that may be called; `custom` ones take free text."""

    name: str
    description: str = ""
    schema: Schema
    custom: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Choosing:
    """How tools are chosen."""

    mode: Literal["auto", "none", "required"] = "auto"
    #: Only these tools may be called; None: all.
    only: frozenset[str] | None = None
    parallel: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """All that an answer depends on."""

    turns: tuple[Turn, ...]
    tools: tuple[Tool, ...] = ()
    choosing: Choosing = Choosing()
    #: The answer must be an instance of this schema; None: free text.
    schema: Schema | None = None
    #: Text that the caller expects the answer to be (predicted outputs).
    prediction: str | None = None
    #: Numbers that make answers: the same prompt with the same seed gets the same answer.
    seed: int = 0

    def last(self, role: Role) -> Turn | None:
        """The latest message of a role."""
        return next((turn for turn in reversed(self.turns) if turn.role == role), None)

    def system(self) -> str:
        """All that the operator of the conversation said."""
        return "\n".join(turn.text for turn in self.turns if turn.role == "system")
