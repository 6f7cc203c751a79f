"""Task: a call whose answer comes later. The nouns that dialects, providers and the engine share; nothing here does anything.

The way of a task: a dialect reads a caller's request into a Draft; the engine makes a Task of it and an Order for the
channel that it chose; the provider turns the Order into a Message, and what comes back into Accepted and, from then on,
into Progress, until the task ends. See docs/tasks.md.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from unigate.spec.binding import Binding
from unigate.spec.operation import Operation

#: `waiting`: nothing was sent yet, it waits for a place at a channel. `submitting`: a provider may have read it.
#: `running`: a provider has it. `paused`: it waits for its caller. The others are ends; `unknown`: it was sent, and
#: nobody can find out what came of it.
TaskState = Literal["waiting", "submitting", "running", "paused", "succeeded", "failed", "canceled", "unknown"]
OPEN: frozenset[TaskState] = frozenset({"waiting", "submitting", "running", "paused"})
ENDED: frozenset[TaskState] = frozenset({"succeeded", "failed", "canceled", "unknown"})

Json = Mapping[str, object]
_NOTHING: Json = {}
#: The member of a task's input that holds the ids by which callers know what it makes; without it these are the provider's
#: own alone. The member of its detail of the same name holds the provider's ids of the same things, in the same order.
ALLOTTED = "allotted"
Headers = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notify:
    """Where a caller wants to hear of a task, in the dialect in which it was submitted."""

    url: str
    #: Which moments, in the dialect's own words; empty: as the dialect does by itself.
    events: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A request that may become a task, as its dialect reads it."""

    operation: Operation
    #: Path and query as they were called, and what stood in the places of the path, unescaped.
    path: str
    query: str
    params: Mapping[str, str]
    #: Lower-case names; none that carries a key.
    headers: Mapping[str, str]
    body: bytes
    #: The calling key, and its own options, such as {"midjourney_mode": "relax"}.
    key_id: str = ""
    key_options: Json = field(default_factory=dict)
    #: The settings of the dialect's section, as in a View.
    settings: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a dialect read in a caller's request: a task that is yet to be priced, paid and sent."""

    #: As it is priced and counted, such as `midjourney.upscale`; the operation that was called may be wider.
    operation: str
    #: The model's public name, by which it is routed.
    model: str
    #: What goes to the provider, in the terms of the operation that was called; the caller's callback is not in it.
    body: Json
    #: What is remembered of the request, shown in the task, and given to follow-up calls; small, no files.
    input: Json = field(default_factory=dict)
    #: What price conditions may ask for, such as {"mode": "fast"}.
    conditions: Mapping[str, str | int] = field(default_factory=dict)
    #: What it consumes at most, by unit: what is held. Charged are the units that the provider reports in the end,
    #: and these where it reports none.
    units: Mapping[str, int] = field(default_factory=lambda: {"call": 1})
    #: The task that it goes on from: it goes to the same channel and credential. "": none.
    parent_id: str = ""
    #: What it names is kept at one channel and credential (an uploaded file): it goes there and nowhere else.
    pinned: Binding | None = None
    notify: Notify | None = None
    #: Seconds for which the reply waits for the end.
    wait: float = 0.0
    #: Seconds after which it fails; 0: as the provider has it.
    deadline: float = 0.0
    #: The id that the task gets, in the shape that the dialect's callers expect; "": ours (`task_...`).
    task_id: str = ""
    #: May wait at the gateway where all channels are full.
    may_wait: bool = True
    #: Further tasks of the same request: money is held for all of them, or nothing is made.
    also: "Sequence[Draft]" = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What one channel is asked to do."""

    task_id: str
    #: Name of the operation that was called (`midjourney.action`), which chose the provider's TaskApi.
    called: str
    #: As it is priced (`midjourney.upscale`).
    operation: str
    #: The model's name at the channel.
    model: str
    body: Json
    conditions: Mapping[str, str | int] = field(default_factory=dict)
    #: Where the provider may tell of changes, a secret address for this task alone; "": nowhere.
    callback: str = ""
    #: The provider's handle of the task that it goes on from.
    parent: Json | None = None
    #: When it was about to be sent first, milliseconds since 1970; 0: not yet.
    submitted_at: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A request of a provider's task API."""

    method: str
    #: Below the channel's base URL, with its query, as it goes on the wire.
    path: str
    body: bytes = b""
    #: Beside those of the provider and its credential; `content-type: application/json` is usual where there is a body.
    headers: Headers = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What came back for a Message: status, headers (lower-case names), body."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """A file that a task made, as the provider names it."""

    url: str
    kind: Literal["image", "video", "audio", "text", "file"]
    #: Its media type where the provider says so, "" where it is to be found out.
    media_type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A thing that a task made and that later calls may name, such as a song to go on with."""

    #: Of bindings.
    kind: str
    #: As its provider names it.
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a task failed, for the caller to see."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a task stands, as its provider says."""

    #: `queued` and `running` mean to ask again later, `paused` that the provider waits for the caller.
    state: Literal["queued", "running", "paused", "succeeded", "failed", "canceled"]
    #: 0 to 100, None where the provider does not tell.
    percent: int | None = None
    #: The provider's own account of the task, in the terms of the operation's dialect; replaces the one before.
    detail: Json = field(default_factory=dict)
    #: Files, once it has succeeded; addresses in `detail` that equal one of them become our links.
    outputs: Sequence[Output] = ()
    #: Things that later calls may name, all that are known by now, always in the same order.
    makes: Sequence[Made] = ()
    #: Pictures of what is being made, addresses.
    previews: Sequence[str] = ()
    error: Failure | None = None
    #: What was consumed, where the provider tells; each in 0..2^40.
    units: Mapping[str, int] | None = None
    #: What the provider tells in the end that price conditions may ask for, in place of what the draft says of it.
    conditions: Mapping[str, str | int] = field(default_factory=dict)
    #: Canceled, and the provider bills it all the same; what failed is never charged.
    billed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A provider took an order."""

    #: What it gave us to ask after the task; small JSON, kept between polls.
    handle: Json
    progress: Progress = Progress(state="queued")
    #: It bills nothing for it, such as for what it had made before.
    free: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often a provider is asked after a task, in seconds: fast at first, slower later."""

    first: float = 1.0
    growth: float = 1.25
    longest: float = 15.0
    #: Requests per second to one channel that ask after tasks; 0: no limit.
    rate: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """How a call for several things fits what a model at a channel makes of one order."""

    #: Things that one order makes at most; 0: as many as are asked for.
    most: int = 0
    #: Fields that the model has nothing for.
    ignored: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskApi:
    """How a provider makes tasks of one kind: pure functions over messages and answers.

    Functions that read an Answered are given good statuses only (2xx), where nothing else is said; they raise BadAnswer
    for what they can't read, and UpstreamRefused, with the status that it amounts to, for a refusal that came as 2xx.
    `submit` raises Unsupported for an order that this vendor can't do: it goes to another channel, if there is one.
    """

    submit: Callable[[Order, Json], Message]
    accepted: Callable[[Order, Answered], Accepted]
    #: Members of a body in which the provider takes addresses only: a picture that came as base64 is kept by us while the
    #: task may run, and named by a link.
    addressed: Sequence[str] = ()
    #: For calls that may take several orders: (model at the channel, body) to how they fit; BadRequest where the model
    #: cannot serve such calls. None: one order carries any of them.
    fits: Callable[[str, Json], Fit] | None = None
    #: (handle, options of the channel); None: the task ends with its being accepted, or tells by its callback only.
    poll: Callable[[Json, Json], Message] | None = None
    progress: Callable[[Json, Answered], Progress] | None = None
    #: Asks after several tasks of one credential at once; the answer's tasks in the order of the handles, None for those
    #: that it does not know.
    poll_many: Callable[[Sequence[Json], Json], Message] | None = None
    progress_many: Callable[[Sequence[Json], Answered], Sequence[Progress | None]] | None = None
    #: The most handles of one `poll_many`.
    many: int = 50
    #: The channel's option that, where it is true, has tasks asked after one by one, by `poll`. "": there is none.
    singly: str = ""
    #: It tells of changes at `Order.callback`: that is taken as a reason to ask, or, where it can't be asked (no `poll`),
    #: read by this function.
    calls_back: bool = False
    called_back: Callable[[Json, Answered], Progress] | None = None
    cancel: Callable[[Json, Json], Message] | None = None
    #: What the answer to `cancel` says; `canceled` and not `billed` is the provider's word that it bills nothing.
    canceled: Callable[[Json, Answered], Progress] | None = None
    #: Asks whether an order was taken whose answer got lost; None: nothing would tell this one from others. None from
    #: `recovered`: it was not.
    recover: Callable[[Order, Json], Message | None] | None = None
    recovered: Callable[[Order, Answered], Accepted | None] | None = None
    #: Goes on with a task that was paused: the order's `parent` is the task's own handle.
    resume: Callable[[Order, Json], Message] | None = None
    #: Further questions about a task, by the name of the operation that asks them; answers pass to the dialect.
    asks: Mapping[str, Callable[[Json, Json], Message]] = field(default_factory=dict)
    pace: Pace = Pace()
    #: Seconds from its being accepted to the end of patience.
    deadline: float = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """A file that a task made, as we know it."""

    id: str
    task_id: str
    kind: str
    media_type: str
    #: The provider's address.
    source: str
    #: Bytes, -1 while not known.
    size: int = -1
    #: We have a copy of it.
    kept: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A task as it stands. Times are milliseconds since 1970, 0: not yet."""

    id: str
    #: Name of the operation that was called, and as which it is priced.
    called: str
    operation: str
    dialect: str
    user_id: str
    key_id: str
    model: str
    state: TaskState
    #: The provider says that it has not begun.
    queued: bool = False
    #: 0 to 100, -1: not told.
    percent: int = -1
    input: Json = field(default_factory=dict)
    detail: Json = field(default_factory=dict)
    outputs: Sequence[Asset] = ()
    previews: Sequence[str] = ()
    error: Failure | None = None
    conditions: Mapping[str, str | int] = field(default_factory=dict)
    parent_id: str = ""
    #: How many wait before it, while it is `waiting`.
    ahead: int = 0
    channel_id: str = ""
    credential_id: str = ""
    #: What the provider gave us; goes to no caller.
    handle: Json = field(default_factory=dict)
    #: Nano-USD: held, and charged in the end.
    held: int = 0
    cost: int = 0
    notify: Notify | None = None
    #: Scheme and authority by which its caller reached us (`https://ai.example.com`).
    base: str = ""
    request_id: str = ""
    created_at: int = 0
    submitted_at: int = 0
    started_at: int = 0
    finished_at: int = 0
    deadline_at: int = 0
    #: Rises with each change.
    version: int = 0

    @property
    def ended(self) -> bool:
        """Nothing about it changes any more."""
        return self.state in ENDED


class View(Protocol):
    """What a dialect needs beside a task to show it."""

    #: Scheme and authority of the addresses that we hand out.
    base: str
    #: Milliseconds since 1970.
    now: int
    #: The calling key's own options, and the settings of the dialect's section.
    key_options: Json
    settings: Json
    #: The header `accept-language` of who reads it, "" for what nobody asked for, such as a notice.
    language: str

    def link(self, asset: Asset) -> str:
        """The address at which a file is fetched: a fresh one of ours, or the provider's own."""
        ...

    def secret(self, user_id: str) -> str:
        """The secret (`whsec_...`) by which this user's webhooks are signed."""
        ...
