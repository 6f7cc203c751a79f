"""What `unigate demo` prints, and its pages for operators."""

import httpx
import pytest

from support.waiting import wait_until
from support.world import Process
from unigate import data


def test_what_it_prints(demo: Process) -> None:
    assert set(demo.said) == {"url", "api_key", "admin", "sandbox_url"}
    assert set(demo.said["admin"]) == {"email", "password"}
    assert demo.said["api_key"].startswith("sk-")
    assert len(demo.said["api_key"]) == 51


def test_health_readiness_metrics(demo: Process) -> None:
    assert httpx.get(demo.url + "/healthz").json() == {"status": "ok"}
    ready = httpx.get(demo.url + "/readyz")
    assert ready.status_code == 200, ready.text
    auth = {"authorization": f"Bearer {demo.said['api_key']}"}
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "count me"}]}
    assert httpx.post(demo.url + "/v1/chat/completions", headers=auth, json=body).status_code == 200
    text = httpx.get(demo.url + "/metrics").text
    assert 'unigate_calls_total{channel="' in text
    assert "unigate_cost_usd_total" in text


def test_every_model_of_openai_that_ships_can_be_called(demo: Process) -> None:
    auth = {"authorization": f"Bearer {demo.said['api_key']}"}
    listed = {model["id"] for model in httpx.get(demo.url + "/v1/models", headers=auth).json()["data"]}
    shipped = {model.name for model in data.models() if model.owner == "openai"}
    assert shipped
    assert not shipped - listed


@pytest.mark.parametrize("model", ["whisper-1", "gpt-transcribe", "whisper-large-v3", "whisper-large-v3-turbo"])
def test_models_that_hear_can_be_called(demo: Process, model: str) -> None:
    auth = {"authorization": f"Bearer {demo.said['api_key']}"}
    speech = {"model": "tts-1", "voice": "alloy", "input": "Good morning.", "response_format": "wav"}
    sound = httpx.post(demo.url + "/v1/audio/speech", headers=auth, json=speech).content
    url, files = demo.url + "/v1/audio/transcriptions", {"file": ("a.wav", sound)}
    reply = httpx.post(url, headers=auth, data={"model": model}, files=files)
    assert reply.status_code == 200, reply.text
    assert reply.json()["text"].strip() == "Good morning."
    assert float(reply.headers["x-unigate-cost"]) > 0


def test_models_of_many_vendors_answer_chats(demo: Process) -> None:
    auth = {"authorization": f"Bearer {demo.said['api_key']}"}
    listed = {model["id"] for model in httpx.get(demo.url + "/v1/models", headers=auth).json()["data"]}
    for model in ("gpt-oss-120b", "gpt-4-all", "gpt-4o-image"):
        body = {"model": model, "messages": [{"role": "user", "content": "a fox"}]}
        reply = httpx.post(demo.url + "/v1/chat/completions", headers=auth, json=body, timeout=30)
        assert reply.status_code == 200, reply.text
        assert model in listed
        if "oss" not in model:
            assert "![image](http" in reply.json()["choices"][0]["message"]["content"]
            assert reply.headers["x-unigate-cost"] == "0.04"


def test_relay_and_pages_on_one_connection(demo: Process) -> None:
    auth = {"authorization": f"Bearer {demo.said['api_key']}"}
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "mixed"}]}
    with httpx.Client(base_url=demo.url, limits=httpx.Limits(max_connections=1)) as one:
        for _ in range(3):
            assert one.get("/healthz").status_code == 200
            assert one.post("/v1/chat/completions", headers=auth, json=body).status_code == 200
            assert one.get("/v1/models", headers=auth).status_code == 200
            assert one.get("/nothing-here").status_code == 404
            assert one.get("/metrics").status_code == 200


def test_browsers_may_call_the_relay(demo: Process) -> None:
    asked = {"origin": "https://app.example", "access-control-request-method": "POST"}
    asked["access-control-request-headers"] = "authorization,content-type,x-stainless-lang"
    reply = httpx.options(demo.url + "/v1/chat/completions", headers=asked)
    assert reply.status_code == 204
    assert reply.headers["access-control-allow-origin"] == "*"
    assert "POST" in reply.headers["access-control-allow-methods"]
    assert "x-stainless-lang" in reply.headers["access-control-allow-headers"]
    refused = httpx.post(demo.url + "/v1/chat/completions", headers={"origin": "https://app.example"}, json={})
    assert refused.status_code == 401
    assert refused.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-origin" not in httpx.get(demo.url + "/healthz", headers=asked).headers


def test_its_user_is_told_at_the_sandbox(demo: Process) -> None:
    admin, sandbox = demo.said["admin"], demo.said["sandbox_url"]
    with httpx.Client(base_url=demo.url, timeout=30) as owner:
        session = owner.post("/api/sessions", json={"email": admin["email"], "password": admin["password"]})
        assert session.status_code == 201, session.text
        signed_in = {"authorization": f"Bearer {session.json()['token']}"}
        given = owner.post("/api/users/demo/topup", headers=signed_in, json={"amount": "1"})
        assert given.status_code == 200, given.text
        taken = owner.post("/api/users/demo/takeback", headers=signed_in, json={"amount": "1"})
        assert taken.status_code == 200, "others who use this demo find what it began with"

    def told(path: str) -> list[str]:
        return [str(one.get("subject") or one["body"]["type"]) for one in httpx.get(sandbox + path).json()["data"]]

    wait_until(lambda: "topup.done" in told("/sandbox/hooks/demo"), what="the webhook", seconds=60)
    subject = "Your balance was topped up"
    wait_until(lambda: subject in told("/sandbox/mails?to=demo@example.com"), what="the mail", seconds=60)
