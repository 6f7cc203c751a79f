"""Webhooks and streams of the sandbox's Replicate."""

import json
from typing import Any

import pytest
from replicate_calls import SCHNELL, Replicate
from sandbox_client import Sandbox, eventually
from standardwebhooks.webhooks import Webhook

from unigate.base import clock
from unigate.sandbox.forms import replicate_hooks
from unigate.sandbox.forms.replicate_hooks import signed

GIVEN = {"prompt": "an astronaut", "megapixels": "0.25"}


@pytest.fixture
def vendor(sandbox: Sandbox) -> Replicate:
    return Replicate(sandbox)


class Hook:
    """A receiver of webhooks."""

    def __init__(self, sandbox: Sandbox, name: str, query: str = "") -> None:
        self._sandbox = sandbox
        self._address = f"{sandbox.url}/sandbox/hooks/{name}"
        self.url = self._address + query

    def received(self, **query: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._sandbox.http.get(self._address, params=query).json()["data"]
        return found

    def until_ended(self, **query: str) -> list[dict[str, Any]]:
        """All that came, once the end has."""
        received: list[dict[str, Any]] = eventually(
            lambda: found if (found := self.received(**query)) and _over(found[-1]) else None, 60
        )
        return received


def _over(one: dict[str, Any]) -> bool:
    return one["status"] < 500 and bool(one["body"]["completed_at"])


def test_the_secret_signs_as_the_standard_says(vendor: Replicate) -> None:
    headers = dict(
        signed(
            "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3",
            "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W",
            1787220001,
            b'{"id":"gm3qorzdhgbfurvjtvhg6dckhu","status":"succeeded"}',
        )
    )
    assert headers["webhook-signature"] == "v1,siGEeDnT7T+IQU+FXaS79wZLPUXhWfj6gByrSyqmAr0="


def test_the_end_is_reported_and_signed(sandbox: Sandbox, vendor: Replicate) -> None:
    hook = Hook(sandbox, "replicate-end")
    secret = vendor.call("GET", "/webhooks/default/secret").json()["key"]
    assert secret.startswith("whsec_")
    assert secret.count("_") == 1
    id = vendor.begun(SCHNELL, GIVEN, webhook=hook.url, webhook_events_filter=["completed"])["id"]
    (received,) = hook.until_ended(secret=secret)
    assert received["body"] == vendor.get(id)
    assert received["signature"] == "valid"
    headers = dict(received["headers"])
    assert headers["webhook-id"].startswith("msg_")
    assert Webhook(secret).verify(json.dumps(received["body"], separators=(",", ":"), ensure_ascii=False), headers)
    other = Replicate(sandbox, "r8_other_hooks").call("GET", "/webhooks/default/secret").json()["key"]
    assert hook.received(secret=other)[0]["signature"] == "invalid"


def test_without_a_filter_outputs_and_the_end_are_reported(sandbox: Sandbox, vendor: Replicate) -> None:
    hook = Hook(sandbox, "replicate-usual")
    vendor.begun(SCHNELL, GIVEN, webhook=hook.url)
    output, end = (one["body"] for one in hook.until_ended())
    assert (output["status"], output["completed_at"]) == ("processing", None)
    assert (end["status"], end["output"]) == ("succeeded", output["output"])


class Standing:
    """A clock on which no time passes between two webhooks."""

    monotonic = staticmethod(lambda: 5.0)
    now_ms = staticmethod(clock.now_ms)


def test_all_moments_at_most_two_a_second(sandbox: Sandbox, vendor: Replicate, monkeypatch: pytest.MonkeyPatch) -> None:
    hook = Hook(sandbox, "replicate-all")
    moments = ["start", "output", "logs", "completed"]
    monkeypatch.setattr(replicate_hooks, "clock", Standing)
    vendor.begun(SCHNELL, GIVEN, webhook=hook.url, webhook_events_filter=moments)
    bodies = [one["body"] for one in hook.until_ended()]
    assert [body["status"] for body in bodies] == ["processing"] * 3 + ["succeeded"]
    assert [bool(body["output"]) for body in bodies] == [False, False, True, True]
    assert len({body["id"] for body in bodies}) == 1


def test_logs_are_reported_as_they_grow(sandbox: Sandbox, vendor: Replicate) -> None:
    hook = Hook(sandbox, "replicate-logs")
    given = {**GIVEN, "seed": 3}
    vendor.begun(SCHNELL, given, speed=1, webhook=hook.url, webhook_events_filter=["logs", "completed"])
    logs = [one["body"]["logs"] for one in hook.until_ended()]
    assert len(logs) >= 3
    assert logs == sorted(set(logs), key=len)
    assert logs[0] == "Using seed: 3\n"


@pytest.mark.parametrize(
    ("given", "status"),
    [({**GIVEN, "n": "[[fault:fail-at:25]]"}, "failed"), ({"prompt": "x [[nsfw]]"}, "failed")],
)
def test_failures_are_reported(sandbox: Sandbox, vendor: Replicate, given: dict[str, Any], status: str) -> None:
    hook = Hook(sandbox, f"replicate-{len(given)}")
    vendor.begun(SCHNELL, given, webhook=hook.url)
    (end,) = hook.until_ended()
    assert (end["body"]["status"], end["body"]["output"]) == (status, None)
    assert end["body"]["error"]


def test_cancelling_is_reported(sandbox: Sandbox, vendor: Replicate) -> None:
    hook = Hook(sandbox, "replicate-cancel")
    id = vendor.begun(SCHNELL, {**GIVEN, "n": "[[fault:stuck]]"}, webhook=hook.url)["id"]
    vendor.call("POST", f"/predictions/{id}/cancel")
    (end,) = hook.until_ended()
    assert end["body"]["status"] == "canceled"


def test_the_end_is_tried_again_with_the_same_id(sandbox: Sandbox, vendor: Replicate) -> None:
    hook = Hook(sandbox, "replicate-again", "?fail=2")
    vendor.begun(SCHNELL, GIVEN, webhook=hook.url, webhook_events_filter=["completed"])
    received = hook.until_ended()
    assert [one["status"] for one in received] == [500, 500, 200]
    assert len({dict(one["headers"])["webhook-id"] for one in received}) == 1


def test_the_start_is_tried_once(sandbox: Sandbox, vendor: Replicate) -> None:
    hook = Hook(sandbox, "replicate-once", "?fail=1")
    vendor.begun(SCHNELL, GIVEN, webhook=hook.url, webhook_events_filter=["start", "completed"])
    assert [one["status"] for one in hook.until_ended()] == [500, 200]


def test_the_older_name_reports_the_end_only(sandbox: Sandbox, vendor: Replicate) -> None:
    hook = Hook(sandbox, "replicate-older")
    vendor.begun(SCHNELL, GIVEN, webhook_completed=hook.url)
    (end,) = hook.until_ended()
    assert end["body"]["status"] == "succeeded"


def test_a_receiver_that_is_not_there_hurts_nobody(vendor: Replicate) -> None:
    assert vendor.done(SCHNELL, GIVEN, webhook="http://127.0.0.1:1/hook")["status"] == "succeeded"


# Streams.


def streamed(sandbox: Sandbox, url: str) -> list[tuple[str, str, str]]:
    """Name, id and data of all events."""
    answer = sandbox.http.get(url, headers={"accept": "text/event-stream"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.headers["cache-control"] == "no-store"
    found = []
    for block in answer.text.split("\n\n"):
        lines = [line.partition(": ") for line in block.split("\n") if line and not line.startswith(":")]
        if lines:
            named = {name: value for name, _, value in lines if name != "data"}
            data = "\n".join(value for name, _, value in lines if name == "data")
            found.append((named["event"], named["id"], data))
    return found


def test_a_stream_tells_logs_outputs_and_the_end(sandbox: Sandbox, vendor: Replicate) -> None:
    begun = vendor.begun(SCHNELL, {**GIVEN, "seed": 4, "num_outputs": 2}, speed=20)
    events = streamed(sandbox, begun["urls"]["stream"])
    assert [name for name, _, _ in events] == ["logs"] * 5 + ["output"] * 2 + ["done"]
    assert len({id for _, id, _ in events}) == len(events)
    told = vendor.get(begun["id"])
    assert [data for name, _, data in events if name == "output"] == told["output"]
    assert "".join(f"{data}\n" for name, _, data in events if name == "logs") == told["logs"]
    assert events[-1][2] == "{}"
    assert streamed(sandbox, begun["urls"]["stream"]) == events, "who comes later hears all of it"


def test_streams_of_failures(sandbox: Sandbox, vendor: Replicate) -> None:
    begun = vendor.begun(SCHNELL, {"prompt": "x [[nsfw]]"})
    *_, error, done = streamed(sandbox, begun["urls"]["stream"])
    assert error[0] == "error"
    assert "NSFW" in json.loads(error[2])["detail"]
    assert (done[0], json.loads(done[2])) == ("done", {"reason": "error"})
    stuck = vendor.begun(SCHNELL, {**GIVEN, "n": "[[fault:stuck]]"})
    vendor.call("POST", f"/predictions/{stuck['id']}/cancel")
    assert streamed(sandbox, stuck["urls"]["stream"])[-1][2] == '{"reason":"canceled"}'


def test_a_stream_of_stills(sandbox: Sandbox, vendor: Replicate) -> None:
    model = "andreasjansson/stable-diffusion-animation"
    given = {"prompt_start": "a", "prompt_end": "b", "width": 128, "height": 128, "num_animation_frames": 4}
    begun = vendor.begun(model, {**given, "intermediate_output": True})
    told = [data for name, _, data in streamed(sandbox, begun["urls"]["stream"]) if name == "output"]
    assert [address.rpartition(".")[2] for address in told] == ["png"] * 4 + ["gif"]


def test_streams_that_there_are_not(sandbox: Sandbox, vendor: Replicate) -> None:
    begun = vendor.begun(SCHNELL, GIVEN)
    guessed = begun["urls"]["stream"].rpartition("-")[0] + "-0000000000000000"
    assert sandbox.http.get(guessed).status_code == 404
