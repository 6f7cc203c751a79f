"""Wire formats, one module each: they read calls and answers, write errors, watch streams. Pure; no I/O.

A module of this folder that has OPERATIONS is a dialect; it is found by walking the folder, so that a dialect is added by
adding a file. Modules without are their tools.
"""

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from types import MappingProxyType, ModuleType
from typing import Any, Protocol, TypeGuard, cast

from unigate.base.errors import GatewayError
from unigate.spec.data_url import short
from unigate.spec.facts import Facts
from unigate.spec.form import Source
from unigate.spec.operation import Operation
from unigate.spec.provider import Provider
from unigate.spec.reply import Reply
from unigate.spec.task import Asset, Draft, Headers, Submission, Task, View
from unigate.spec.usage import Usage


class Writer(Protocol):
    """What every dialect offers: its operations, and errors as its callers read them."""

    OPERATIONS: tuple[Operation, ...]

    def write_error(self, error: GatewayError, request_id: str) -> bytes:
        """The body of an error reply."""
        ...


class Watcher(Protocol):
    """One stream on its way to the caller; see `openai_watch.Watch`."""

    content: bool
    done: bool
    finished: bool
    error: bytes | None
    usage: Usage | None
    #: Counted of the answer so far.
    output_tokens: int
    service_tier: str | None

    @property
    def empty(self) -> bool:
        """Nothing was sent and no output was reported."""
        ...

    @property
    def ending(self) -> bytes:
        """The last events, held back by `feed`."""
        ...

    def feed(self, piece: bytes) -> bytes:
        """What goes to the caller now."""
        ...

    def finish(self) -> bytes:
        """What is left at a clean end."""
        ...


class RawWatcher(Watcher, Protocol):
    """An answer of bytes on its way to the caller; see `raw.RawWatch`."""

    #: Counts what went out, where the provider does not tell: from all the bytes, in a thread. None where it can't say.
    measure: Callable[[Source], Usage | None] | None


class Kept(Protocol):
    """What was seen of an answer that the provider keeps, in dialects whose facts may be `stored`."""

    #: By which the provider knows it; "" where it does not keep it after all.
    id: str


class Dialect(Writer, Protocol):
    """A dialect whose calls go to providers. Each dialect has its own Edits and Seen.

    `asked` is the caller's body: bytes, and a `spec.form.Form` where the operation's body is a form.
    """

    Edits: Any

    def read(self, asked: Any, /) -> Facts:
        """What we need to know of a caller's body."""
        ...

    def edit(self, asked: Any, facts: Facts, edits: Any, /) -> Any:
        """The body as the provider gets it."""
        ...

    def read_answer(self, body: bytes, provider: Provider) -> Any:
        """What a whole answer says of itself."""
        ...

    def add_cost(self, body: bytes, cost: str, usage: Usage | None = None) -> bytes:
        """The answer with its cost in it."""
        ...

    def estimate(self, asked: Any, seen: Any, /) -> Usage:
        """Usage counted by ourselves."""
        ...

    def read_error(self, status: int, body: bytes) -> Any:
        """What a vendor's error says."""
        ...

    def pass_error(self, status: int, body: bytes) -> bytes:
        """A vendor's refusal in this dialect's form."""
        ...

    def input_bound(self, asked: Any, facts: Facts, /) -> int:
        """The most input tokens that a body can count."""
        ...


class FinishingDialect(Dialect, Protocol):
    """A dialect whose facts may say `finish`."""

    def finish_answer(self, body: bytes) -> bytes:
        """The answer as the caller asked for it; `body` itself where it is, or can't be made so."""
        ...


class StreamingDialect(Dialect, Protocol):
    """A dialect some of whose answers are streams."""

    Watch: Callable[..., Watcher]

    def write_stream_error(self, error: GatewayError, request_id: str, watch: Watcher) -> bytes:
        """The event that ends a broken stream, which `watch` saw so far."""
        ...


class MeteredDialect(Dialect, Protocol):
    """A dialect whose calls are counted in one unit or another, as their prices say (`Facts.charged`)."""

    def measure(self, asked: Any, facts: Any, /) -> None:
        """Put into the facts what is learned by looking into the body's files, in a thread, before money is held."""
        ...

    def used(self, facts: Any, told: Usage | None, seen: Any, /) -> Usage:
        """What was used, in the units that are charged: as it was told or measured, else counted by ourselves.

        `seen` is what `read_answer` saw, or the Watcher.
        """
        ...


class RawDialect(Dialect, Protocol):
    """A dialect of operations whose answers are bytes; those that are JSON all the same are read whole."""

    #: From the call's facts, its provider, and the answer's content type.
    Raw: Callable[[Facts, Provider, bytes], RawWatcher]


class TaskWriter(Writer, Protocol):
    """A dialect that shows tasks.

    A module may also have `translate(error, language)`, which gives an error in the language that a caller asks for (the
    header `accept-language` as it came), `error_status(error)`, where its errors have other statuses than ours,
    `pass_error(status, body)` for refusals of vendors, `own_refusal(task, failure)`, the error (or None) for a submission that
    no channel took where the last one's failure is a refusal that this dialect has a word for, and ERROR_TYPE, the media type
    of its errors. It shows its own tasks only, and those of dialects that SHOWS names, unless EVERY_TASK is true. What else its
    operations need depends on their use; see `relay/task_uses.py`, and for what its drafts may name `relay/task_pins.py`.
    """

    def write_task(self, task: Task, view: View) -> bytes:
        """The task as this dialect shows it."""
        ...

    def write_tasks(self, tasks: Sequence[Task], view: View, next_page: str = "") -> bytes:
        """Several of them; `next_page`: the cursor of the page behind, "" where there is none."""
        ...

    def missing(self, task_id: str) -> GatewayError:
        """The error for a task that is not there, or is another user's."""
        ...


class TaskDialect(TaskWriter, Protocol):
    """A dialect whose calls make tasks, and ask after them."""

    def read_task(self, asked: Submission) -> Draft:
        """What is asked for. BadRequest, in the dialect's own words, for what can't become a task."""
        ...

    def continue_task(self, draft: Draft, parent: Task) -> Draft:
        """The draft with what follows from the task that it goes on from; BadRequest where it can't go on from it."""
        ...

    def write_accepted(self, task: Task, view: View) -> Reply:
        """The reply to a submission; the task may have ended meanwhile."""
        ...

    def events(self, before: Task | None, after: Task) -> tuple[str, ...]:
        """What a caller that asked to be notified is told of a change, by the dialect's names of moments; often nothing."""
        ...

    def write_notice(self, task: Task, event: str, view: View) -> tuple[Headers, bytes]:
        """Headers (beside those of a signature) and body of a notification."""
        ...

    #: Notifications carry a Standard Webhooks signature by the user's secret.
    SIGNS: bool


def linked(value: object, outputs: Sequence[Asset], view: View) -> object:
    """JSON data in which each text that is the provider's address of one of the files is our link to it."""
    links = {short(asset.source): view.link(asset) for asset in outputs}
    return _linked(value, links) if links else value


def _linked(value: object, links: Mapping[str, str]) -> object:
    if isinstance(value, str):
        return links.get(short(value), value)
    if isinstance(value, Mapping):
        return {name: _linked(one, links) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_linked(one, links) for one in value]
    return value


def meters(spoken: Dialect) -> TypeGuard[MeteredDialect]:
    """Whether a dialect counts by what is charged."""
    return hasattr(spoken, "used")


def streams(spoken: Dialect) -> TypeGuard[StreamingDialect]:
    """Whether answers in a dialect may be streams."""
    return hasattr(spoken, "Watch")


@cache
def _modules() -> Mapping[str, ModuleType]:
    found: dict[str, ModuleType] = {}
    for info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{info.name}")
        if hasattr(module, "OPERATIONS"):
            found[info.name] = module
    return MappingProxyType(found)


def writer(name: str) -> Writer:
    """The dialect of that name; LookupError where there is none."""
    module = _modules().get(name)
    if module is None:
        raise LookupError(f"there is no dialect {name!r}")
    return cast(Writer, module)


def dialect(name: str) -> Dialect:
    """The dialect of that name whose calls go to providers; LookupError where there is none."""
    found = writer(name)
    if not hasattr(found, "read_answer"):
        raise LookupError(f"the dialect {name!r} is not spoken by providers")
    return cast(Dialect, found)


def task_writer(name: str) -> TaskWriter:
    """The dialect of that name that shows tasks; LookupError where there is none."""
    found = writer(name)
    if not hasattr(found, "write_task"):
        raise LookupError(f"the dialect {name!r} shows no tasks")
    return cast(TaskWriter, found)


def task_dialect(name: str) -> TaskDialect:
    """The dialect of that name whose calls make tasks; LookupError where there is none."""
    found = writer(name)
    if not hasattr(found, "read_task"):
        raise LookupError(f"the dialect {name!r} has no tasks")
    return cast(TaskDialect, found)


@cache
def operations() -> tuple[Operation, ...]:
    """All operations of all dialects; ValueError where two have one name."""
    rows: dict[str, Operation] = {}
    for module in _modules().values():
        for row in module.OPERATIONS:
            if row.name in rows:
                raise ValueError(f"two operations are called {row.name!r}")
            rows[row.name] = row
    return tuple(rows.values())
