"""Recorded cases of tasks: a caller's request on its way to a provider and back, by pure functions only.

A case is a file, `cases/tasks/<provider>/<name>.json`; what its members mean stands in `tests/providers/cases/README.md`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from unigate.base.errors import GatewayError, UpstreamRefused
from unigate.base.money import parse_usd
from unigate.billing.prices import Prices
from unigate.dialects import TaskDialect, operations, task_dialect
from unigate.http.table import Table
from unigate.providers import catalogue
from unigate.spec.caller import Group
from unigate.spec.operation import Operation
from unigate.spec.price import Price, Rate
from unigate.spec.provider import Credential
from unigate.spec.reply import Reply
from unigate.spec.task import (
    Answered,
    Asset,
    Draft,
    Failure,
    Message,
    Order,
    Progress,
    Submission,
    Task,
    TaskApi,
    TaskState,
)
from unigate.spec.usage import Usage

NOW = 1_700_000_000_000
TASK_ID = "task_of_the_case"
BASE = "https://gate.example"
CALLBACK = "https://gate.example/callbacks/task/secret"
CREDENTIAL = Credential("crd_1", "sk-upstream")
TABLE = Table(operations())
_STATES: Mapping[str, TaskState] = {"queued": "running"}


@dataclass(slots=True)
class CaseView:
    """What a dialect needs to show a task, without a gateway around it."""

    key_options: Mapping[str, object] = field(default_factory=dict)
    settings: Mapping[str, object] = field(default_factory=dict)
    base: str = BASE
    now: int = NOW
    language: str = ""

    def link(self, asset: Asset) -> str:
        """An address that names the file."""
        return f"{self.base}/files/{asset.id}"

    def secret(self, user_id: str) -> str:
        """A secret of the user's."""
        return f"whsec_{user_id}"


class Case:
    """One file, and how far it has gone."""

    def __init__(self, path: Path) -> None:
        self.told: dict[str, Any] = json.loads(path.read_text())
        self.provider = catalogue()[path.parent.name]
        self.options = self.told.get("options", {})
        self.view = CaseView(self.told.get("key_options", {}), self.told.get("settings", {}))
        call = self.told["call"]
        found = TABLE.find(call.get("method", "POST").encode(), call["path"].encode())
        assert found is not None, call["path"]
        named = [one for one in operations() if one.name == call.get("operation")]
        within = [one for one in operations() if one.within == found[0].name]  # by tasks, under the path of another
        self.operation: Operation = (named or within or [found[0]])[0]
        self.params = {name: unquote(value) for name, value in found[1].items()}
        self.dialect: TaskDialect = task_dialect(self.operation.dialect)
        #: Headers of the reply that do not come from its dialect.
        self.marks: tuple[tuple[bytes, bytes], ...] = ()

    @property
    def api(self) -> TaskApi:
        """How the provider makes such tasks."""
        return self.provider.tasks[self.operation.name]

    def submission(self) -> Submission:
        """The caller's request."""
        call = self.told["call"]
        return Submission(
            operation=self.operation,
            path=call["path"],
            query=call.get("query", ""),
            params=self.params,
            headers=call.get("headers", {}),
            body=body_of(call.get("body")),
            key_options=self.view.key_options,
            settings=self.view.settings,
        )

    def draft(self) -> Draft:
        """What the dialect reads in it."""
        draft = self.dialect.read_task(self.submission())
        if self.api.fits is not None:
            fit = self.api.fits(self.told.get("upstream_model", draft.model), draft.body)
            self.marks = ((b"x-unigate-ignored", ", ".join(fit.ignored).encode()),) if fit.ignored else ()
            draft = vars(self.dialect)["parts"](draft, [fit])[0]
        parent = self.told.get("parent")
        if parent is None:
            return draft
        assert draft.parent_id
        return self.dialect.continue_task(draft, parent_task(parent, self.operation, draft.parent_id))

    def order(self, draft: Draft) -> Order:
        """What the channel is asked."""
        handle = self.told.get("parent", {}).get("handle")
        return Order(
            task_id=draft.task_id or TASK_ID,
            called=self.operation.name,
            operation=draft.operation,
            model=self.told.get("upstream_model", draft.model),
            body=draft.body,
            conditions=draft.conditions,
            callback=CALLBACK if self.api.calls_back else "",
            parent=handle,
        )

    def sent(self, message: Message) -> dict[str, Any]:
        """A message as it goes on the wire."""
        request = self.provider.task_request(message, CREDENTIAL, self.options, now_ms=NOW)
        return {
            "method": request.method,
            "path": request.target,
            "headers": {name.decode(): value.decode() for name, value in request.headers},
            "body": value_of(message.body),
        }

    def accepted(self, task: Task) -> Reply:
        """The reply to the submission."""
        reply = self.dialect.write_accepted(task, self.view)
        return replace(reply, headers=(*reply.headers, *self.marks))

    def refusal(self, error: GatewayError) -> Reply:
        """An error as the caller sees it."""
        told = self.dialect
        language = self.told["call"].get("headers", {}).get("accept-language", "")
        translate = getattr(told, "translate", None)
        if translate is not None:
            error = translate(error, language)
        status_of = getattr(told, "error_status", None)
        status = status_of(error) if status_of is not None else error.status
        pass_error = getattr(told, "pass_error", None)
        if isinstance(error, UpstreamRefused) and pass_error is not None:
            if status_of is None:
                status = error.upstream_status
            return Reply(pass_error(error.upstream_status, error.body), status)
        return Reply(told.write_error(error, "req_1"), status)

    def cost(self, task: Task, units: Mapping[str, int]) -> str:
        """What the task costs by the prices of the case, in nano-USD as text."""
        rows = [price_of(row) for row in self.told["prices"]]
        quote = Prices(rows).quote(task.operation, task.model, Group(id="grp_1", name="default"), NOW)
        return str(quote.cost(Usage(dict(units)), task.conditions)[0])


def answered(told: Mapping[str, Any]) -> Answered:
    """An answer of the provider's."""
    return Answered(status=told.get("status", 200), body=body_of(told.get("body")), headers=told.get("headers", {}))


def body_of(told: object) -> bytes:
    """A body as bytes: text as it is, anything else as JSON, nothing for none."""
    if told is None:
        return b""
    return told.encode() if isinstance(told, str) else json.dumps(told, ensure_ascii=False).encode()


def value_of(body: bytes) -> object:
    """A body as a case shows it: JSON where it is some, else text; None where there is none."""
    if not body:
        return None
    try:
        return json.loads(body)
    except ValueError:
        return body.decode()


def price_of(told: Mapping[str, Any]) -> Price:
    """A price row: `model` or `operation`, `when`, `per` (default 1), and a USD amount by unit."""
    about = {"model", "operation", "when", "per"}
    return Price(
        id="price_1",
        model=told.get("model"),
        operation=told.get("operation"),
        when=told.get("when", {}),
        rates={unit: Rate(parse_usd(usd), told.get("per", 1)) for unit, usd in told.items() if unit not in about},
    )


def task_of(case: Case, draft: Draft, *, state: TaskState = "submitting") -> Task:
    """A task as it is before anything was sent."""
    return Task(
        id=draft.task_id or TASK_ID,
        called=case.operation.name,
        operation=draft.operation,
        dialect=case.operation.dialect,
        user_id="usr_1",
        key_id="key_1",
        model=draft.model,
        state=state,
        input=draft.input,
        conditions=draft.conditions,
        parent_id=draft.parent_id,
        notify=draft.notify,
        base=BASE,
        request_id="req_1",
        created_at=NOW,
    )


def moved(task: Task, progress: Progress) -> Task:
    """The task after its provider told of it."""
    state: TaskState = _STATES.get(progress.state, progress.state)  # type: ignore[arg-type]
    ended = state in ("succeeded", "failed", "canceled")
    outputs = tuple(
        Asset(id=f"asset_{at}", task_id=task.id, kind=one.kind, media_type=one.media_type, source=one.url)
        for at, one in enumerate(progress.outputs, 1)
    )
    return replace(
        task,
        state=state,
        queued=progress.state == "queued",
        percent=-1 if progress.percent is None else progress.percent,
        detail=progress.detail,
        outputs=outputs if state == "succeeded" else (),
        previews=progress.previews,
        error=progress.error,
        submitted_at=task.submitted_at or NOW + 100,
        started_at=task.started_at or (0 if progress.state == "queued" else NOW + 200),
        finished_at=NOW + 3000 if ended else 0,
        version=task.version + 1,
    )


def parent_task(told: Mapping[str, Any], operation: Operation, id: str) -> Task:
    """A task that another goes on from, as the case tells of it."""
    known = {
        "id": id,
        "called": operation.name,
        "operation": operation.name,
        "dialect": operation.dialect,
        "user_id": "usr_1",
        "key_id": "key_1",
        "model": "",
        "state": "succeeded",
        "created_at": NOW - 60_000,
    }
    error = told.get("error")
    more = {name: value for name, value in told.items() if name != "error"}
    return Task(**{**known, **more}, error=Failure(**error) if error else None)


def differences(wanted: object, found: object, at: str = "$") -> list[str]:
    """Where `found` is not what a case wants.

    The text `"*"` fits anything; an object with the member `"...": true` may have further members.
    """
    if wanted == "*":
        return []
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        names = [name for name in wanted if name != "..."]
        out = [f"{at}.{name}: missing" for name in names if name not in found]
        if "..." not in wanted:
            out += [f"{at}.{name}: {found[name]!r} was not expected" for name in found if name not in wanted]
        for name in names:
            if name in found:
                out += differences(wanted[name], found[name], f"{at}.{name}")
        return out
    if _is_list(wanted) and _is_list(found):
        assert isinstance(wanted, Sequence) and isinstance(found, Sequence)
        if len(wanted) != len(found):
            return [f"{at}: {len(found)} members, not {len(wanted)}"]
        return [fault for i, one in enumerate(wanted) for fault in differences(one, found[i], f"{at}[{i}]")]
    if wanted == found and type(wanted) is type(found):
        return []
    return [f"{at}: {found!r}, not {wanted!r}"]


def _is_list(value: object) -> bool:
    return isinstance(value, list | tuple)
