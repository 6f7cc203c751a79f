"""Provider: a vendor's API as pure code. It says which request to send; others send it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import quote

from unigate.spec.form import Form
from unigate.spec.model_list import listed_models
from unigate.spec.operation import Operation
from unigate.spec.task import Answered, Message, TaskApi

Headers = tuple[tuple[bytes, bytes], ...]
Options = Mapping[str, object]
_NONE: Mapping[str, str] = {}
_JSON_TYPE = (b"content-type", b"application/json")


class Credential:
    """One secret of a channel: a string, or named parts where the vendor needs several. Never prints."""

    __slots__ = ("id", "parts", "secret")

    def __init__(self, id: str, secret: str, parts: Mapping[str, str] = _NONE) -> None:
        self.id = id
        self.secret = secret
        self.parts = parts

    def __repr__(self) -> str:
        return f"Credential({self.id})"


class Auth(Protocol):
    """How a vendor wants to be shown a credential."""

    def __call__(self, credential: Credential, options: Options) -> Headers:
        """The headers that carry the credential, lower-case names."""
        ...


def bearer(credential: Credential, options: Options) -> Headers:  # noqa: ARG001 - every Auth takes them
    """`Authorization: Bearer SECRET`."""
    return ((b"authorization", b"Bearer " + credential.secret.encode()),)


@dataclass(frozen=True, slots=True)
class TimedAuth:
    """Auth that depends on the time, such as a signed token: it is made anew when its seconds are over."""

    #: From (credential, options, now in ms since 1970) to what an Auth gives.
    headers: Callable[[Credential, Options, int], Headers]
    #: For how long the headers are shown to the vendor.
    seconds: int


@dataclass(frozen=True, slots=True)
class Request:
    """A request to a vendor, without its body: constant for one route and credential, so made once and kept."""

    method: str
    #: Path and query as they go on the wire.
    target: str
    #: Lower-case names; no `host`, `content-length`, `connection`.
    headers: Headers = ()
    #: Milliseconds since 1970 from which it must be made anew; 0: never.
    expires_at: int = 0


def no_change(body: bytes, options: Options) -> tuple[bytes, tuple[str, ...]]:  # noqa: ARG001 - as every such change
    """The body as it is; nothing ignored."""
    return body, ()


def no_form_change(form: Form, options: Options) -> tuple[Form, tuple[str, ...]]:  # noqa: ARG001 - as every such change
    """The form as it is; nothing ignored."""
    return form, ()


def as_told(status: int, body: bytes) -> tuple[int, bytes]:
    """An error as the vendor told it."""
    return status, body


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """One operation that a vendor has in a form of its own: from the operation's dialect to it, and back. Pure.

    Of calls about what is kept at a vendor the answer alone. Whole answers only; what the vendor refuses goes through `Provider.adjust_error` and the dialect's `pass_error`.
    """

    #: (body in the dialect's form, options) -> (the vendor's body, names of members left out). Unsupported for what can't
    #: be said to this vendor without its meaning being changed: another channel may be able to.
    request: Callable[[bytes, Options], tuple[bytes, tuple[str, ...]]]
    #: (the vendor's answer, the caller's body, the call's id) -> the answer in the dialect's form. BadAnswer for what can't
    #: be read, UpstreamRefused for a refusal in an answer of 200.
    answer: Callable[[bytes, bytes, str], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Fields that a vendor refuses with some models."""

    #: Beginnings of the models' names.
    models: tuple[str, ...]
    fields: tuple[str, ...]

    def of(self, given: tuple[str, ...], *models: str) -> tuple[str, ...]:
        """Those of the fields that were given, where one of the names is that of such a model."""
        if not any(model.startswith(self.models) for model in models):
            return ()
        return tuple(name for name in given if name in self.fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A vendor that speaks known dialects. `providers/<name>.py` exports exactly one, as PROVIDER."""

    name: str
    title: str
    #: None: the channel must name one.
    base_url: str | None
    #: Further addresses of the same API, such as that of another country: a channel names one as its base URL.
    also_at: tuple[str, ...] = ()
    #: Names of the dialects that its operations are spoken in.
    speaks: tuple[str, ...] = ()
    #: Name of an operation that makes tasks -> how this vendor makes them.
    tasks: Mapping[str, TaskApi] = field(default_factory=dict)
    #: Name of an operation that this vendor has in another form than the operation's dialect -> how that is said to it.
    translations: Mapping[str, Translation] = field(default_factory=dict)
    auth: Auth | TimedAuth = bearer
    #: Operation name -> path below the base URL, where the vendor's differs from the operation's own; it may have a
    #: query. `{model}` and `{option}` names are filled in; `/..` at the beginning takes back a step of the base URL.
    paths: Mapping[str, str] = field(default_factory=dict)
    #: Put before the operation's own path where `paths` has none.
    prefix: str = ""
    headers: Headers = ()
    #: Changes a body that this vendor would refuse: (body, options) -> (body, names of fields left out).
    adjust_request: Callable[[bytes, Options], tuple[bytes, tuple[str, ...]]] = no_change
    #: The same of a form: (form, options) -> (form, names of fields left out).
    adjust_form: Callable[[Form, Options], tuple[Form, tuple[str, ...]]] = no_form_change
    #: Operation name -> fields that this vendor refuses with models of these names (beginnings of them): each is left
    #: out, and the caller is told.
    refuses: Mapping[str, Refused] = field(default_factory=dict)
    #: Rewrites the vendor's usage object (decoded) into the dialect's own form, where it differs.
    adjust_usage: Callable[[Mapping[str, object]], Mapping[str, object]] | None = None
    #: What an error of this vendor means: (status, body) -> (the status by which it is judged and passed on, the body
    #: that a caller may see). For statuses that say something else than OpenAI's, and bodies that name the account.
    adjust_error: Callable[[int, bytes], tuple[int, bytes]] = as_told
    #: Members of usage objects that tell what the operator pays, or whose account it is: they go to no caller.
    private_usage: frozenset[str] = frozenset()
    #: Purposes of files that this vendor calls otherwise: OpenAI's -> its own.
    file_purposes: Mapping[str, str] = field(default_factory=dict)
    #: Names of operations whose bodies this vendor takes with files in them, where it has no files of its own that they
    #: could name.
    carries_files: frozenset[str] = frozenset()
    #: Where a stream's events carry usage beside the top-level `usage`: keys, and places in lists, from the top.
    usage_path: tuple[str | int, ...] = ()
    #: The field in which a limit of output tokens is put where the caller named none.
    limit_field: str = "max_completion_tokens"
    #: False where the vendor refuses `stream_options` (it then reports usage by itself, or not at all).
    stream_options: bool = True
    #: Path of the list of models below the base URL; "": the vendor has none.
    models_path: str = "/models"
    #: The names in a list of models; ValueError where it is none.
    read_models: Callable[[bytes], tuple[str, ...]] = listed_models
    #: A call that costs nothing and needs a right credential, by which a channel is tested whose provider only makes
    #: tasks; None: there is none. `read_probe` raises BadAnswer for an answer (2xx) that is not this vendor's.
    probe: Message | None = None
    read_probe: Callable[[Answered], object] | None = None
    #: Names of options that a channel of this provider needs.
    needs: tuple[str, ...] = ()

    def serves(self, operation: Operation) -> bool:
        """Whether it offers an operation: task by task, and everything else by the dialect or one by one."""
        if operation.use == "task":
            return operation.name in self.tasks
        return operation.dialect in self.speaks or operation.name in self.translations

    def task_request(self, message: Message, credential: Credential, options: Options, *, now_ms: int = 0) -> Request:
        """The request that carries a message of a task API, whose body is sent beside it."""
        made = self._made(message.method, _filled(message.path, options, None), credential, options, now_ms)
        told = message.headers or ((_JSON_TYPE,) if message.body else ())
        named = {name for name, _ in told}
        return Request(
            made.method,
            made.target,
            told + tuple(header for header in made.headers if header[0] not in named),
            made.expires_at,
        )

    def request(
        self,
        path: str,
        operation: str,
        model: str,
        credential: Credential,
        options: Options,
        *,
        method: str = "POST",
        values: Mapping[str, str] = _NONE,
        now_ms: int = 0,
    ) -> Request:
        """The request for one operation, whose own path is `path`; `values` are filled into it beside options and model.

        `now_ms` matters to a TimedAuth only. Options that every provider understands: `headers` (a mapping added to each
        request), `path_prefix`, `key_header` (the bare secret goes there in place of the provider's own way).
        """
        target = _filled(self.paths.get(operation, self.prefix + path), options, {**values, "model": model})
        return self._made(method, target, credential, options, now_ms)

    def models_request(self, credential: Credential, options: Options, *, now_ms: int = 0) -> Request:
        """The request for the list of models, whose answer `read_models` reads; LookupError where there is none."""
        if not self.models_path:
            raise LookupError(f"{self.title} has no list of models")
        return self._made("GET", _filled(self.models_path, options, _NONE), credential, options, now_ms)

    def _made(self, method: str, target: str, credential: Credential, options: Options, now_ms: int) -> Request:
        shown, expires_at = self._shown(credential, options, now_ms)
        extra = options.get("headers")
        more = (
            tuple((str(k).lower().encode(), str(v).encode()) for k, v in extra.items())
            if isinstance(extra, Mapping)
            else ()
        )
        named = {n for n, _ in more}
        kept = tuple((n, v) for n, v in (*shown, *self.headers) if n not in named)
        return Request(method, target, kept + more, expires_at)

    def _shown(self, credential: Credential, options: Options, now_ms: int) -> tuple[Headers, int]:
        """The headers that carry the credential, and until when they do."""
        key_header = options.get("key_header")
        if isinstance(key_header, str):
            return ((key_header.lower().encode(), credential.secret.encode()),), 0
        if isinstance(self.auth, TimedAuth):
            return self.auth.headers(credential, options, now_ms), now_ms + self.auth.seconds * 1000
        return self.auth(credential, options), 0


def _filled(path: str, options: Options, chosen: Mapping[str, str] | None) -> str:
    """A path as it goes on the wire, with options and what a caller chose in their places; None: it has no places."""
    if chosen is None:
        return str(options.get("path_prefix", "")) + path
    known = {name: value for name, value in options.items() if isinstance(value, str | int)}
    # A caller chooses the model's name and ids, so they must not be able to leave their place in the path.
    safe = {name: quote(value, safe="") for name, value in chosen.items()}
    return (str(options.get("path_prefix", "")) + path).format_map({**known, **safe})
