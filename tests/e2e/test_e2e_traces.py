"""Traces: a collector that speaks OTLP over HTTP is told of calls, in the names of the GenAI conventions, without prompts."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from support.waiting import wait_until
from support.world import World, build_world

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
FAILING = "  - {name: bad, provider: openai, base_url: SANDBOX/fault/500/openai/v1, credentials: sk-2, models: [gpt-4o-mini], priority: 9}"


class Collector:
    """Keeps what it is sent."""

    def __init__(self) -> None:
        self.raw: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        keeper = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                keeper.headers.append({k.lower(): v for k, v in self.headers.items()} | {"path": self.path})
                keeper.raw.append(self.rfile.read(int(self.headers["content-length"])))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def spans(self) -> list[Span]:
        """All spans so far."""
        found = []
        for raw in list(self.raw):
            for resource in ExportTraceServiceRequest.FromString(raw).resource_spans:
                for scope in resource.scope_spans:
                    found += scope.spans
        return found

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def values(span: Span) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value") or "") for pair in span.attributes}


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.close()


@pytest.fixture(scope="module")
def traced(collector: Collector, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    telemetry = f'telemetry: {{endpoint: "{collector.url}", headers: {{x-token: collector-secret}}, service: gate}}'
    home: Path = tmp_path_factory.mktemp("traces")
    world = build_world(home, "sqlite:///unigate.db", more=f"{FAILING}\n{telemetry}")
    yield world
    world.process.stop()
    world.sandbox.stop()


def told(collector: Collector, trace: str, count: int) -> list[Span]:
    """The spans of a trace once there are so many."""
    mine: list[Span] = []

    def enough() -> bool:
        mine[:] = [span for span in collector.spans() if span.trace_id.hex() == trace]
        return len(mine) >= count

    wait_until(enough, seconds=30)
    return mine


def test_a_call_and_its_tries_are_told(traced: World, collector: Collector) -> None:
    reply = traced.post(
        {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "a secret prompt"}]},
        traceparent=f"00-{TRACE}-{PARENT}-01",
    )
    assert reply.status_code == 200
    spans = told(collector, TRACE, 3)
    call = next(span for span in spans if span.kind == Span.SPAN_KIND_SERVER)
    assert call.name == "POST /v1/chat/completions" and call.parent_span_id.hex() == PARENT
    about = values(call)
    assert about["unigate.request.id"] == reply.headers["x-request-id"]
    assert about["http.response.status_code"] == 200 and about["unigate.ended"] == "completed"
    tries = sorted((s for s in spans if s.kind == Span.SPAN_KIND_CLIENT), key=lambda s: s.start_time_unix_nano)
    assert [s.name for s in tries] == ["chat gpt-4o-mini"] * 2
    assert all(s.parent_span_id == call.span_id for s in tries)
    failed, served = map(values, tries)
    assert failed["error.type"] and failed["http.response.status_code"] == 500
    usage = reply.json()["usage"]
    assert served["gen_ai.usage.input_tokens"] == usage["prompt_tokens"]
    assert served["gen_ai.usage.output_tokens"] == usage["completion_tokens"]
    assert served["gen_ai.operation.name"] == "chat" and served["gen_ai.provider.name"] == "openai"
    assert b"a secret prompt" not in b"".join(collector.raw)
    assert traced.key.encode() not in b"".join(collector.raw)
    assert collector.headers[0]["path"] == "/v1/traces" and collector.headers[0]["x-token"] == "collector-secret"


def test_a_caller_who_decided_against_it_is_not_traced(traced: World, collector: Collector) -> None:
    without = TRACE[::-1]
    traced.post(
        {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "one"}]},
        traceparent=f"00-{without}-{PARENT}-00",
    )
    after = "c" * 32
    traced.post(
        {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "two"}]},
        traceparent=f"00-{after}-{PARENT}-01",
    )
    told(collector, after, 2)
    assert not [span for span in collector.spans() if span.trace_id.hex() == without]


def test_a_refused_call_leaves_no_span_and_a_failed_one_says_why(traced: World, collector: Collector) -> None:
    failing = "d" * 32
    reply = traced.post(
        {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "[[fault:400]]"}]},
        traceparent=f"00-{failing}-{PARENT}-01",
    )
    assert reply.status_code == 400
    call = next(span for span in told(collector, failing, 2) if span.kind == Span.SPAN_KIND_SERVER)
    assert values(call)["http.response.status_code"] == 400
    assert values(call)["error.type"] and call.status.code == 2
