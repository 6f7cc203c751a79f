"""A vendor that speaks OpenAI's dialect as a face: what differs is its Manner, its words for failures, and their form."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from starlette.datastructures import Headers

from unigate.sandbox.forms import openai_chat, openai_errors
from unigate.sandbox.forms.manner import Manner
from unigate.sandbox.forms.outcome import Outcome
from unigate.sandbox.serving.answer import Event, Object, VendorError, Whole
from unigate.sandbox.serving.face import Face, Handler, Route, bearer

UsageWriter = Callable[[Outcome], Object]
EventsChange = Callable[[Iterator[Event], Outcome], Iterator[Event]]


@dataclass(frozen=True, slots=True)
class Words:
    """What a vendor says, and with which status, where OpenAI would answer with another."""

    status: int
    kind: str
    code: str | None
    message: str
    retry_after: str | None = None


def openai_face(
    name: str,
    title: str,
    base: str,
    manner: Manner,
    *,
    words: Mapping[int, Words],
    write: Callable[[VendorError], object] = openai_errors.body,
    credential: Callable[[Headers], str | None] = bearer,
    models: Handler | None = None,
    more: tuple[Route, ...] = (),
) -> Face:
    """The face of a vendor. `words` are by the status that a fault names; `write` gives the body of an error; `more`: routes beside chats."""
    manner = replace(manner, check=_lenient(manner))

    def failure(status: int, code: str | None = None) -> VendorError:
        said = words.get(status)
        if said is None or (code and code in openai_errors.CODES):
            return openai_errors.failure(status, code)
        return VendorError(
            said.status, said.message, kind=said.kind, code=code or said.code, retry_after=said.retry_after
        )

    def whole(error: VendorError) -> Whole:
        return Whole(payload=write(error), status=error.status)

    def in_stream(error: VendorError) -> Event:
        told = write(error)
        return Event(told if isinstance(told, dict) else {"error": told}, "end")

    return Face(
        name=name,
        title=title,
        base=base,
        routes=(
            Route("POST", f"{base}/chat/completions", openai_chat.chat(manner)),
            Route("GET", f"{base}/models", models or openai_chat.list_models(manner)),
            *more,
        ),
        credential=credential,
        refuse_key=lambda _credential: failure(401),
        failure=failure,
        error=whole,
        stream_error=in_stream,
        no_route=openai_errors.no_route,
        wrong_method=openai_errors.wrong_method,
    )


def _lenient(manner: Manner) -> Callable[[Object], None]:
    """The vendor's own check; and its models that think take what OpenAI's refuse."""

    def check(body: Object) -> None:
        manner.check(body)
        model = manner.models.find(str(body.get("model", "")))
        if model is None or not model.reasoning:
            return
        for name in ("temperature", "top_p", "presence_penalty", "frequency_penalty", "stop"):
            body.pop(name, None)
        if body.get("max_tokens") is not None:
            body.setdefault("max_completion_tokens", body.pop("max_tokens"))

    return check


def anyone(headers: Headers) -> str | None:
    """The credential for a server of one's own, which asks for none."""
    return bearer(headers) or "nobody"


def counts(outcome: Outcome) -> Object:
    """The three counts that all vendors give."""
    given, made = outcome.size.total, outcome.output
    return {"prompt_tokens": given, "completion_tokens": made, "total_tokens": given + made}


def detailed(outcome: Outcome) -> Object:
    """The counts with what was cached, and what was thought by a model that thinks."""
    usage = {**counts(outcome), "prompt_tokens_details": {"cached_tokens": outcome.cached}}
    if outcome.asked.model.reasoning:
        usage["completion_tokens_details"] = {"reasoning_tokens": outcome.summed("reasoning_tokens")}
    return usage


def usage_with_finish(usage: UsageWriter, more: UsageWriter | None = None) -> EventsChange:
    """Streams that tell usage, asked or not, in the event that ends an answer only; `more` stands beside it."""

    def change(events: Iterator[Event], outcome: Outcome) -> Iterator[Event]:
        for event in events:
            if event.part == "usage":
                continue
            if isinstance(event.data, dict):
                event.data.pop("usage", None)
                if event.part == "finish":
                    event.data.update(usage=usage(outcome), **(more(outcome) if more else {}))
            yield event

    return change


def usage_last(usage: UsageWriter, more: UsageWriter | None = None) -> EventsChange:
    """Streams that tell usage, asked or not, in an event of its own without choices; `more` stands beside it."""

    def change(events: Iterator[Event], outcome: Outcome) -> Iterator[Event]:
        last: Object = {}
        for event in events:
            if event.part == "usage":
                continue
            if isinstance(event.data, dict):
                event.data.pop("usage", None)
                last = event.data
            elif event.part == "end":
                told = {**last, "choices": [], "usage": usage(outcome), **(more(outcome) if more else {})}
                yield Event(told, "usage")
            yield event

    return change
