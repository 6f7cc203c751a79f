"""Bytes on their way: what reaches the provider, and what comes back, is what was sent."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import httpx
import pytest

from support.stage import KEY, Stage, body, set_stage
from support.world import Process

USAGE = b'"usage":{"prompt_tokens":9,"completion_tokens":1,"total_tokens":10,"new_count":7}'
ANSWER = b'{ "id":"x","object":"chat.completion" , "choices":[{"index":0,"message":{"role":"assistant","content":"h\\u00e9"},'
ANSWER += b'"finish_reason":"stop","new_field":1.50}],' + USAGE + b',\n"vendor":{"a":[1,2]}}'
CHUNKS = (
    b'data: {"id":"x","choices":[{"index":0,"delta":{"role":"assistant"},"finish_reason":null}],"usage":null}\n\n',
    b'data: {"id":"x", "choices":[{"index":0,"delta":{"content":"h\\u00e9"},"new":1.0}] ,"usage":null}\n\n',
    b'data: {"id":"x","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}\n\n',
    b'data: {"id":"x","choices":[],' + USAGE + b"}\n\n",
    b"data: [DONE]\n\n",
)


class Vendor(threading.Thread):
    """A provider that keeps each request's bytes and gives always the same answer; the sandbox shows bodies decoded."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []

    def run(self) -> None:
        """Serve one connection after the other, one request on each."""
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                with connection:
                    self._serve(connection)

    def _serve(self, connection: socket.socket) -> None:
        seen = b""
        while b"\r\n\r\n" not in seen:
            seen += connection.recv(65536)
        head, _, content = seen.partition(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")
        )
        while len(content) < length:
            content += connection.recv(65536)
        self.heads.append(head)
        self.bodies.append(content)
        stream = json.loads(content).get("stream")
        kind, answer = (b"text/event-stream", b"".join(CHUNKS)) if stream else (b"application/json", ANSWER)
        connection.sendall(
            b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\nx-vendor-secret: tell-nobody\r\nset-cookie: a=b\r\n"
            b"connection: close\r\ncontent-length: %d\r\n\r\n%b" % (kind, len(answer), answer)
        )

    def stop(self) -> None:
        """Take no more connections."""
        self._listener.close()


@pytest.fixture(scope="module")
def vendor() -> Iterator[Vendor]:
    """The recording provider."""
    made = Vendor()
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, vendors: Process, vendor: Vendor) -> Iterator[Stage]:
    """A gateway before the recording provider."""
    text = f"""
channels:
  - {{name: main, provider: openai, base_url: {vendor.url}/v1, credentials: sk-upstream-main,
      models: {{gpt-4o-mini: gpt-4o-mini, mine: "gpt-4o-mini-2024-07-18"}}}}
prices: [{{model: "*", input: 1, output: 1}}]
users: [{{name: alice, credit: 100}}]
keys: [{{name: app, user: alice, secret: {KEY}}}]
"""
    built = set_stage(tmp_path_factory.mktemp("bytes"), vendors, text)
    yield built
    built.stop()


ODD = (
    b'\n{ "temperature" : 1.0E+0,"new_parameter":{"deep":[1.50,"\\u00e9",null , true]},\t"model":"gpt-4o-mini",\r\n'
    b'"messages":[{"role":"user","content":"\xc3\xa9 \xf0\x9f\x98\x80 \\ud83d\\ude00 \\/ \\"model\\"","name":"a"}],'
    b'"metadata":{"model":"kept","stream":"kept","usage":"kept"},"seed":12345678901234567890 } \n'
)


def test_an_odd_body_reaches_the_provider_as_it_is(stage: Stage, vendor: Vendor) -> None:
    reply = stage.post(ODD, **{"x-unigate-include": "nothing", "cookie": "session=1", "openai-organization": "org"})
    assert reply.status_code == 200, reply.text
    assert vendor.bodies[-1] == ODD
    assert reply.content == ANSWER
    head = vendor.heads[-1].lower()
    assert head.startswith(b"post /v1/chat/completions http/1.1")
    assert b"authorization: bearer sk-upstream-main" in head
    for ours in (KEY.encode(), b"x-unigate", b"cookie", b"x-request-id", b"traceparent", b"forwarded"):
        assert ours not in head, ours


def test_only_the_models_name_is_changed(stage: Stage, vendor: Vendor) -> None:
    sent = ODD.replace(b'"model":"gpt-4o-mini"', b'"model":"mine"')
    assert stage.post(sent).status_code == 200
    assert vendor.bodies[-1] == ODD.replace(b'"model":"gpt-4o-mini"', b'"model":"gpt-4o-mini-2024-07-18"')


def test_a_stream_passes_but_for_the_usage_that_we_asked_for(stage: Stage, vendor: Vendor) -> None:
    sent = json.dumps(body("hi", stream=True)).encode()
    reply = stage.post(sent)
    assert json.loads(vendor.bodies[-1]) == {**json.loads(sent), "stream_options": {"include_usage": True}}
    hidden = b"".join(chunk for chunk in CHUNKS if USAGE not in chunk).replace(b',"usage":null', b"")
    assert reply.content == hidden, "it is as if usage had not been asked for"
    row = stage.row(reply.headers["x-request-id"])
    assert row["units"] == {"input": 9, "output": 1} and not row["estimated"]


def test_a_stream_with_usage_passes_untouched_both_ways(stage: Stage, vendor: Vendor) -> None:
    sent = json.dumps(body("hi", stream=True, stream_options={"include_usage": True, "new": 1})).encode()
    reply = stage.post(sent)
    assert vendor.bodies[-1] == sent
    assert reply.content == b"".join(CHUNKS)


@pytest.mark.parametrize("stream", [False, True])
def test_what_is_asked_of_the_gateway_does_not_reach_the_provider(stage: Stage, vendor: Vendor, stream: bool) -> None:
    sent = body("hi", stream=stream)
    reply = stage.post({**sent, "usage": {"include": True}})
    assert '"cost":' in reply.text
    told = json.loads(vendor.bodies[-1])
    told.pop("stream_options", None)
    assert told == sent


def test_headers_of_the_provider_stay_with_us(stage: Stage) -> None:
    for stream in (False, True):
        reply = stage.post(body("hi", stream=stream))
        assert "x-vendor-secret" not in reply.headers and "set-cookie" not in reply.headers
        assert "x-unigate-channel" not in reply.headers


def test_a_call_without_any_declared_type(stage: Stage, vendor: Vendor) -> None:
    reply = httpx.post(stage.base + "/chat/completions", content=ODD, headers={"authorization": f"Bearer {KEY}"})
    assert reply.status_code == 200
    assert vendor.bodies[-1] == ODD
