"""What drafts name is looked up before they are submitted, and not without bound."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from unigate.base.errors import BadRequest
from unigate.dialects import task_dialect
from unigate.dialects.replicate_errors import Invalid
from unigate.relay.call import Call
from unigate.relay.services import Services
from unigate.relay.task_pins import MOST, pinned
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
