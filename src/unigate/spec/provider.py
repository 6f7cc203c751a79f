"""Provider: a vendor's API as pure code. It says which request to send; others send it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import quote

Headers = tuple[tuple[bytes, bytes], ...]
Options = Mapping[str, object]
_NONE: Mapping[str, str] = {}


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
class Request:
    """A request to a vendor, without its body: constant for one route and credential, so made once and kept."""

    method: str
    #: Path and query as they go on the wire.
    target: str
    #: Lower-case names; no `host`, `content-length`, `connection`.
    headers: Headers = ()


def no_change(body: bytes, options: Options) -> tuple[bytes, tuple[str, ...]]:  # noqa: ARG001 - as every such change
    """The body as it is; nothing ignored."""
    return body, ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A vendor that speaks known dialects. `providers/<name>.py` exports exactly one, as PROVIDER."""

    name: str
    title: str
    #: None: the channel must name one.
    base_url: str | None
    #: Names of the dialects that its operations are spoken in.
    speaks: tuple[str, ...]
    auth: Auth = bearer
    #: Operation name -> path below the base URL, where the vendor's differs from the operation's own.
    #: `{model}` and `{option}` names are filled in.
    paths: Mapping[str, str] = field(default_factory=dict)
    #: Query string added to each request, with the same placeholders.
    query: str = ""
    headers: Headers = ()
    #: Changes a body that this vendor would refuse: (body, options) -> (body, names of fields left out).
    adjust_request: Callable[[bytes, Options], tuple[bytes, tuple[str, ...]]] = no_change
    #: Rewrites the vendor's usage object (JSON text) into the dialect's own form, where it differs.
    adjust_usage: Callable[[Mapping[str, object]], Mapping[str, object]] | None = None
    #: Where a stream's events carry usage beside the top-level `usage`, as keys from the top.
    usage_path: tuple[str, ...] = ()
    #: The field in which a limit of output tokens is put where the caller named none.
    limit_field: str = "max_completion_tokens"
    #: False where the vendor refuses `stream_options` (it then reports usage by itself, or not at all).
    stream_options: bool = True
    #: Names of options that a channel of this provider needs.
    needs: tuple[str, ...] = ()

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
    ) -> Request:
        """The request for one operation, whose own path is `path`; `values` are filled into it beside options and model.

        Options that every provider understands: `headers` (a mapping added to each request), `path_prefix`,
        `key_header` (the bare secret goes there in place of the provider's own way).
        """
        # A caller chooses the model's name and ids, so they must not be able to leave their place in the path.
        chosen = {name: quote(value, safe="") for name, value in {**values, "model": model}.items()}
        filled = {**{k: v for k, v in options.items() if isinstance(v, str | int)}, **chosen}
        target = str(options.get("path_prefix", "")) + self.paths.get(operation, path)
        query = self.query.format_map(filled)
        key_header = options.get("key_header")
        if isinstance(key_header, str):
            auth: Headers = ((key_header.lower().encode(), credential.secret.encode()),)
        else:
            auth = self.auth(credential, options)
        extra = options.get("headers")
        more = (
            tuple((str(k).lower().encode(), str(v).encode()) for k, v in extra.items())
            if isinstance(extra, Mapping)
            else ()
        )
        named = {n for n, _ in more}
        kept = tuple((n, v) for n, v in (*auth, *self.headers) if n not in named)
        return Request(method, target.format_map(filled) + (f"?{query}" if query else ""), kept + more)
