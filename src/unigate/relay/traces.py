"""Traces: what OpenTelemetry is told of calls, when the operator wants it; off unless an endpoint is set.

A call is a server span; each try at a channel is a client span below it, named as the GenAI conventions say
(https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/). Spans are made after the call from its record, so
that a call in flight carries nothing for them. Prompts and answers are never part of it.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from unigate import __version__
from unigate.base.money import NANO
from unigate.relay.call import Call
from unigate.routing.choice import Candidate
from unigate.spec.record import Attempt, Record
from unigate.spec.usage import INPUT_UNITS, OUTPUT_UNITS

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

#: Family of an operation -> what GenAI calls it; others are called as they are here.
_OPERATIONS: Mapping[str, str] = {"chat": "chat", "completions": "text_completion", "embeddings": "embeddings"}
#: Name of a provider here -> its name there, where they differ.
_PROVIDERS: Mapping[str, str] = {
    "azure_openai": "azure.ai.openai",
    "mistral": "mistral_ai",
    "xai": "x_ai",
    "bedrock": "aws.bedrock",
    "gemini": "gcp.gemini",
}
_MS_NS = 1_000_000
_US_NS = 1_000
_SERVER_ERRORS = 500


class Listener(Protocol):
    """Who is told of calls that ended."""

    def ended(self, call: Call, record: Record, candidate: Candidate | None) -> None:
        """A call ended, served by `candidate` if by any."""
        ...


class Traces:
    """Makes spans of calls and hands them to an exporter, which sends them from a thread of its own."""

    def __init__(self, exporter: "SpanExporter", *, service: str = "unigate", sample: float = 1.0) -> None:
        """`sample`: the share of calls whose caller did not decide it by `traceparent`."""
        # Here and not above: a process that traces nothing need not load it.
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
        from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased  # noqa: PLC0415
        from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context  # noqa: PLC0415
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

        self._provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(sample)),
            resource=Resource.create({"service.name": service, "service.version": __version__}),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("unigate", __version__)
        self._parent = TraceContextTextMapPropagator().extract
        self._within = set_span_in_context
        self._server, self._client = SpanKind.SERVER, SpanKind.CLIENT
        self._status, self._error = Status, StatusCode.ERROR

    def ended(self, call: Call, record: Record, candidate: Candidate | None) -> None:
        """Make the spans of a call that ended now."""
        carrier = {
            name: value.decode("latin-1")
            for name in ("traceparent", "tracestate")
            if (value := call.x.header(name.encode())) is not None
        }
        begin = record.at * _MS_NS
        end = begin + record.total_us * _US_NS
        operation = call.operation
        span = self._tracer.start_span(
            f"{operation.method} {operation.path}",
            context=self._parent(carrier) if carrier else None,
            kind=self._server,
            start_time=begin,
            attributes=_of_call(call, record),
        )
        if not span.is_recording():
            return
        if record.status >= _SERVER_ERRORS or record.end not in ("completed", "empty"):
            span.set_attribute("error.type", record.error or record.end)
            span.set_status(self._status(self._error, record.error or record.end))
        within = self._within(span)
        at = begin
        for attempt in record.attempts:
            until = at + attempt.ms * _MS_NS
            if attempt.error:
                self._try(record, within, operation.family, _of_failure(attempt), (at, until))
                at = until
        if candidate is not None:
            self._try(record, within, operation.family, _of_answer(record, candidate), (at, end))
        span.end(end)

    def _try(
        self, record: Record, within: Any, family: str, attributes: Mapping[str, Any], time: tuple[int, int]
    ) -> None:
        """One try at a channel, from the first to the second moment."""
        name = _OPERATIONS.get(family, family)
        known = {"gen_ai.operation.name": name, "gen_ai.request.model": record.model}
        span = self._tracer.start_span(
            f"{name} {record.model}",
            context=within,
            kind=self._client,
            start_time=time[0],
            attributes={**known, **attributes},
        )
        if "error.type" in attributes:
            span.set_status(self._status(self._error, str(attributes["error.type"])))
        span.end(max(time))

    def close(self) -> None:
        """Send what is left; waits for it some seconds. For a thread."""
        self._provider.shutdown()


def _of_call(call: Call, record: Record) -> dict[str, Any]:
    return {
        "http.request.method": call.operation.method,
        "http.route": call.operation.path,
        "http.response.status_code": record.status,
        "unigate.request.id": record.id,
        "unigate.operation": record.operation,
        "unigate.ended": record.end,
        "unigate.user.id": record.user,
        "unigate.key.id": record.key,
        "unigate.cost_usd": record.cost / NANO,
        "unigate.own_ms": record.own_us / 1000,
    }


def _of_failure(attempt: Attempt) -> dict[str, Any]:
    attributes: dict[str, Any] = {"unigate.channel.id": attempt.channel, "error.type": attempt.error}
    if attempt.status:
        attributes["http.response.status_code"] = attempt.status
    return attributes


def _of_answer(record: Record, candidate: Candidate) -> dict[str, Any]:
    provider = candidate.route.channel.provider.name
    attributes: dict[str, Any] = {
        "gen_ai.provider.name": _PROVIDERS.get(provider, provider),
        "gen_ai.response.model": record.upstream_model,
        "unigate.channel.id": record.channel,
        "unigate.channel.name": candidate.route.channel.name,
        "unigate.usage.estimated": record.estimated,
    }
    told, said = (sum(n for unit, n in record.units.items() if unit in of) for of in (INPUT_UNITS, OUTPUT_UNITS))
    if told or said:
        attributes |= {"gen_ai.usage.input_tokens": told, "gen_ai.usage.output_tokens": said}
    if record.stream:
        attributes["unigate.first_content_ms"] = record.first_us / 1000
    return attributes


def over_http(endpoint: str, headers: Mapping[str, str], *, service: str, sample: float) -> Traces:
    """Traces that go to a collector by OTLP over HTTP; `endpoint` is its base address, `http://host:4318`."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", headers=dict(headers))
    return Traces(exporter, service=service, sample=sample)
