"""Recorded cases of tasks, each a file and no code: see `cases/README.md`."""

import json
from pathlib import Path
from typing import Any

import pytest

from support.task_cases import Case, answered, differences, moved, task_of, value_of
from unigate.base.errors import GatewayError, UpstreamRefused
from unigate.providers import catalogue
from unigate.spec.reply import Reply
from unigate.spec.task import OPEN, Progress, TaskApi

CASES = Path(__file__).parent / "cases" / "tasks"
PATHS = sorted(CASES.glob("*/*.json"))
#: What a case may end as: each operation of a provider has one of the first three.
ENDS = ("succeeded", "failed", "pending", "canceled", "refused")


def named(path: Path) -> str:
    return f"{path.parent.name}-{path.stem}"


def check(wanted: object, found: object) -> None:
    assert differences(wanted, found) == []


def check_reply(wanted: dict[str, Any], reply: Reply) -> None:
    assert reply.status == wanted.get("status", 200)
    if "headers" in wanted:
        headers = {name.decode(): value.decode() for name, value in reply.headers}
        check({**wanted["headers"], "...": True}, headers)
    check(wanted["body"], value_of(reply.body))


def check_refused(case: Case, error: GatewayError, status: int) -> None:
    """The provider took no order: as what that counts, and what the caller reads."""
    assert case.told["end"] == "refused"
    assert getattr(error, "upstream_status", 0) == case.told.get("means", status)
    check_reply(case.told["reply"], case.refusal(error))


def asked(case: Case, step: dict[str, Any], handle: dict[str, Any]) -> Progress:
    """What the provider says in a later step: to a poll, a poll of several, a cancel, or by its callback."""
    api, kind = case.api, step.get("by", "poll")
    answer = answered(step["answer"])
    if kind == "callback":
        assert api.called_back is not None
        return api.called_back(handle, answer)
    if kind == "poll_many":
        assert api.poll_many is not None and api.progress_many is not None
        others = [handle, *step.get("others", [])]
        message = api.poll_many(others, case.options)
        found = api.progress_many(others, answer)
        assert len(found) == len(others) and found[0] is not None
        progress = found[0]
        if "others_known" in step:
            assert [one is not None for one in found[1:]] == step["others_known"]
    elif kind == "cancel":
        assert api.cancel is not None and api.canceled is not None
        message, progress = api.cancel(handle, case.options), api.canceled(handle, answer)
    else:
        assert api.poll is not None and api.progress is not None
        message, progress = api.poll(handle, case.options), api.progress(handle, answer)
    if "sent" in step:
        check({**step["sent"], "...": True}, case.sent(message))
    return progress


@pytest.mark.parametrize("path", PATHS, ids=named)
def test_a_case(path: Path) -> None:
    case = Case(path)
    told = case.told
    assert told["end"] in ENDS
    try:
        draft = case.draft()
    except GatewayError as error:
        check_reply(told["reply"], case.refusal(error))
        assert told["end"] == "refused" and "sent" not in told
        return
    for name, value in told.get("draft", {}).items():
        found = getattr(draft, name)
        check(value, found if not hasattr(found, "url") else {"url": found.url, "events": list(found.events)})
    task = task_of(case, draft)
    check({**told["sent"], "...": True}, case.sent(case.api.submit(case.order(draft), case.options)))
    answer = answered(told["answer"])
    try:
        if not 200 <= answer.status < 300:
            raise UpstreamRefused(answer.status, answer.body)
        accepted = case.api.accepted(case.order(draft), answer)
    except GatewayError as error:
        check_refused(case, error, answer.status)
        return
    json.dumps(accepted.handle)  # it is kept as JSON
    check(told.get("handle", "*"), accepted.handle)
    progress = accepted.progress
    task = moved(task, progress)
    check_reply(told["reply"], case.accepted(task))
    for step in told.get("steps", ()):
        progress = asked(case, step, dict(accepted.handle))
        task = moved(task, progress)
        json.dumps(progress.detail)
        assert task.state == step.get("state", task.state)
        if "shown" in step:
            check(step["shown"], value_of(case.dialect.write_task(task, case.view)))
        if "units" in step:
            assert progress.units == step["units"]
    assert (told["end"] == "pending") if task.state in OPEN else (told["end"] == task.state)
    if "cost" in told:
        units = dict(draft.units) if progress.units is None else dict(progress.units)
        assert units == told["usage"]
        free = accepted.free or (task.state != "succeeded" and not progress.billed)
        assert ("0" if free else case.cost(task, units)) == str(told["cost"])


@pytest.mark.parametrize("name", sorted(name for name, provider in catalogue().items() if provider.tasks))
def test_each_kind_of_task_has_a_case_of_success_pending_and_failure(name: str) -> None:
    found = [Case(path) for path in PATHS if path.parent.name == name]
    wanted = set(catalogue()[name].tasks)
    assert {case.operation.name for case in found} >= wanted
    ends = {operation: {case.told["end"] for case in found if case.operation.name == operation} for operation in wanted}
    apis = catalogue()[name].tasks
    lacking = {operation: sorted(_wanted(apis[operation]) - seen) for operation, seen in ends.items()}
    assert {operation: missing for operation, missing in lacking.items() if missing} == {}


def _wanted(api: TaskApi) -> set[str]:
    """How cases of such tasks must end; one that ends with its being accepted is never pending."""
    later = api.poll is not None or api.poll_many is not None or api.calls_back
    return {"succeeded", "failed", "pending"} if later else {"succeeded", "failed"}
