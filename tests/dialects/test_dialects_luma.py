"""Luma: whether an order whose answer got lost was taken, by the account's list of generations."""

import json
from typing import Any

import pytest

from unigate.base.clock import rfc3339
from unigate.base.errors import BadAnswer, NoFunds, NotFound, UpstreamRefused
from unigate.dialects import luma
from unigate.providers.luma import PROVIDER
from unigate.spec.task import Accepted, Answered, Order

SENT = 1_700_000_900_000
HOOK = "https://gateway.example.com/callbacks/t1/secret"


def order(callback: str = HOOK, called: str = "luma.video") -> Order:
    body = {"user_prompt": "a fox", "expand_prompt": True, "aspect_ratio": "1:1"}
    return Order(
        task_id="t1", called=called, operation=called, model="ray-2", body=body, callback=callback, submitted_at=SENT
    )


def generation(id: str, hook: object = None, *, at: str = "", **more: Any) -> dict[str, Any]:
    at = at or rfc3339(SENT)
    return {
        "id": id,
        "state": "dreaming",
        "created_at": at,
        "request": {"prompt": "a fox", "callback_url": hook},
        **more,
    }


def recovered(*found: object, called: str = "luma.video", more: bool = False) -> Accepted | None:
    api = PROVIDER.tasks[called]
    assert api.recovered is not None
    body = json.dumps({"has_more": more, "generations": found}).encode()
    return api.recovered(order(called=called), Answered(status=200, body=body))


def test_an_order_is_known_by_its_callback() -> None:
    other = generation("g1", "https://gateway.example.com/callbacks/t2/other")
    found = recovered(other, generation("g2"), generation("g3", HOOK), more=True)
    assert found is not None
    assert (found.handle, found.progress.state) == ({"id": "g3"}, "running")
    assert recovered(other, generation("g2")) is None
    assert recovered() is None


def test_it_is_shown_in_the_form_in_which_it_was_asked_for() -> None:
    found = recovered(generation("g3", HOOK), called="luma_relay.create")
    assert found is not None
    assert found.handle == {"id": "g3", "ratio": "1:1", "resolution": None}
    assert found.progress.detail == {"ignored": ["expand_prompt"]}


@pytest.mark.parametrize("called", ["luma.video", "luma.upscale", "luma_relay.extend"])
def test_one_without_a_callback_cannot_be_told_from_others(called: str) -> None:
    recover = PROVIDER.tasks[called].recover
    assert recover is not None
    assert recover(order("", called), {}) is None
    message = recover(order(called=called), {})
    assert message is not None and (message.method, message.path) == ("GET", "/generations?limit=100&offset=0")


@pytest.mark.parametrize(
    ("oldest", "told"),
    [
        (rfc3339(SENT - 300_001), True),
        (rfc3339(SENT - 300_000), False),  # clocks may differ by so much
        ("2023-11-14T22:00:00", False),  # nobody says where
        ("yesterday", False),
        (None, False),
    ],
)
@pytest.mark.parametrize("full", [True, False])
def test_a_list_that_ends_tells_only_of_what_is_younger_than_its_oldest(oldest: Any, *, told: bool, full: bool) -> None:
    """It would be made once more else."""
    young = [generation(f"g{number}") for number in range(99 if full else 9)]
    listed = [*young, {**generation("old"), "created_at": oldest}]
    if told:
        assert recovered(*listed, more=not full) is None
    else:
        with pytest.raises(BadAnswer):
            recovered(*listed, more=not full)
    if not full:
        assert recovered(*listed) is None, "there are no others"


def test_a_list_that_tells_of_no_callbacks_does_not_say_that_ours_is_missing() -> None:
    with pytest.raises(BadAnswer):
        recovered({"id": "g1", "state": "queued", "created_at": rfc3339(SENT), "request": {"prompt": "a fox"}})
    with pytest.raises(BadAnswer):
        recovered({"id": "g1", "state": "queued", "created_at": rfc3339(SENT)})
    api = PROVIDER.tasks["luma.video"]
    assert api.recovered is not None
    with pytest.raises(BadAnswer):
        api.recovered(order(), Answered(status=200, body=b'{"generations": "none"}'))


def test_only_a_generation_can_be_not_found() -> None:
    assert luma.error_status(luma.missing("g1")) == 404
    assert luma.error_status(NotFound("The model 'x' does not exist.", code="model_not_found", param="model")) == 400
    assert luma.error_status(NoFunds()) == 402
    assert luma.error_status(UpstreamRefused(422, b"{}")) == 422
