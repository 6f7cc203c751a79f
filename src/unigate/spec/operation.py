"""Operation: one callable thing of a dialect, as a row of the table that serves all calls."""

from dataclasses import dataclass
from typing import Literal

from unigate.spec.form import FormBounds

_BOUNDS = FormBounds()
#: What an operator switches an operation to.
State = Literal["live", "deprecated", "off"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A row: where it is called, who may, how it is served and whether it costs.

    `path` is a template: literal segments and `{name}`; `{name:path}` at the end takes the rest.
    """

    name: str
    method: str
    path: str
    #: Name of the dialect module that reads its calls and writes its errors.
    dialect: str
    #: Operations are switched one by one or as a family (`live`, `deprecated`, `off`).
    family: str
    #: The use case in `relay/` that serves it: `relay` goes to a provider, `task` makes a task, `bound` goes to the provider
    #: that knows the thing, `passed` makes such a thing and goes back to it, others are answered by us.
    use: str = "relay"
    #: Scope that the key needs; None: open to everybody, without a key.
    scope: str | None = "relay"
    #: No hold, no price; works at a balance of zero.
    free: bool = False
    #: Also answers keys that have expired or used up their budget (balance, usage).
    answers_expired: bool = False
    #: `json`: a body is read whole and must be JSON; `raw`: it is read whole, of whatever type; `form`: it is
    #: multipart/form-data, read into a Form; `none`: it is ignored.
    body: Literal["json", "raw", "form", "none"] = "none"
    #: With the body `form`: it may be JSON as well, which is read whole.
    json_too: bool = False
    #: Bytes of a body at most; 0: as `settings.relay.body_bytes` has it.
    body_bytes: int = 0
    #: What a form may have.
    form: FormBounds = _BOUNDS
    #: `bytes`: the answer is of whatever type, and goes to the caller as it comes.
    answer: Literal["json", "bytes"] = "json"
    #: Path below the provider's base URL (`/chat/completions`, `/responses/{id}`); a provider may name another.
    upstream_path: str = ""
    #: Other paths under which the same operation is served.
    aliases: tuple[str, ...] = ()
    #: Kind of the things that its answers name and that later calls come back to; with the uses `bound` and `passed`, of
    #: the thing that `{id}` in its path names.
    binds: str = ""
    #: With the use `passed`: where files of users are named, in the path (`{file_id}`), the query (`?after`) and the body
    #: (`files.*.file_id`: of each object in a list); where in its answer; where its body names models; and where its answer
    #: names models that were made for the user.
    files: tuple[str, ...] = ()
    shows_files: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    shows_models: tuple[str, ...] = ()
    #: With the use `bound`: the use by which it is served where `{id}` names a task of ours; "": its provider is asked.
    task_use: str = ""
    #: Name of the operation some of whose calls it serves, told apart by their body: it has no place of its own.
    within: str = ""
