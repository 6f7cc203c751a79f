"""What drafts name is looked up before they are submitted, and not without bound."""

from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from unigate.base.errors import BadRequest
from unigate.dialects import TaskDialect, task_dialect
from unigate.dialects.replicate_errors import Invalid
from unigate.relay.call import Call
from unigate.relay.services import Services
from unigate.relay.task_pins import MOST, pinned
from unigate.relay.task_things import MADE
from unigate.spec.binding import Binding
from unigate.spec.task import Draft


@pytest.mark.parametrize(("count", "error", "asked"), [(MOST, Invalid, MOST), (MOST + 1, BadRequest, 0)])
async def test_a_draft_may_name_so_many_files(count: int, error: type[Exception], asked: int) -> None:
    looked_up = []

    async def of(kind: str, id: str, user_id: str) -> None:
        looked_up.append((kind, id, user_id))

    svc = cast(Services, SimpleNamespace(bindings=SimpleNamespace(of=of)))
    call = cast(Call, SimpleNamespace(key=SimpleNamespace(user_id="usr_1")))
    files: list[Any] = [f"https://gate.example/replicate/v1/files/f{n}" for n in range(count)]
    draft = Draft(operation="replicate.prediction", model="acme/thing", body={"input": {"images": files}})
    with pytest.raises(error):
        await pinned(call, svc, task_dialect("replicate"), draft)
    assert len(looked_up) == asked


class _Singer:
    """A dialect whose drafts may go on from a tune, which is known elsewhere by another name."""

    def kept_things(self, draft: Draft) -> list[tuple[str, str]]:
        return [("tune", str(draft.body["tune"]))]

    def with_kept(self, draft: Draft, found: Mapping[str, Binding]) -> Draft:
        if not found:
            raise BadRequest("no such tune")
        (binding,) = found.values()
        return replace(draft, body={"tune": binding.upstream_id}, pinned=binding)

    def goes_on_from(self, draft: Draft) -> str:
        return str(draft.body["tune"])


def _binding(kind: str, public_id: str, upstream_id: str) -> Binding:
    return Binding(
        kind=kind,
        public_id=public_id,
        upstream_id=upstream_id,
        channel_id="ch_1",
        credential_id="crd_1",
        user_id="usr_1",
        model="m",
        created_at=1,
    )


@pytest.mark.parametrize(("there", "given", "parent"), [(True, "", "task_1"), (False, "", ""), (True, "told", "told")])
async def test_a_draft_goes_on_from_the_task_that_made_what_it_names(there: bool, given: str, parent: str) -> None:
    known = {("tune", "t1"): _binding("tune", "t1", "theirs"), (MADE, "t1"): _binding(MADE, "t1", "task_1")}

    async def of(kind: str, id: str, user_id: str) -> Binding | None:
        return known.get((kind, id)) if user_id == "usr_1" else None

    async def bound(kind: str, ids: list[str], user_id: str) -> list[Binding]:
        return [one for id in ids if (one := await of(kind, id, user_id))]

    async def several(ids: list[str], user_id: str) -> list[object]:
        return [SimpleNamespace(id=id) for id in ids if there and user_id == "usr_1"]

    bindings = SimpleNamespace(of=of, several=bound)
    svc = cast(Services, SimpleNamespace(bindings=bindings, tasks=SimpleNamespace(several=several)))
    call = cast(Call, SimpleNamespace(key=SimpleNamespace(user_id="usr_1")))
    draft = Draft(operation="o", model="m", body={"tune": "t1"}, parent_id=given)
    found = await pinned(call, svc, cast(TaskDialect, _Singer()), draft)
    assert (found.body, found.pinned, found.parent_id) == ({"tune": "theirs"}, known["tune", "t1"], parent)
    other = cast(Call, SimpleNamespace(key=SimpleNamespace(user_id="usr_2")))
    for asked, named in ((other, "t1"), (call, "t2"), (call, "t1\0")):
        with pytest.raises(BadRequest):
            await pinned(asked, svc, cast(TaskDialect, _Singer()), replace(draft, body={"tune": named}))
