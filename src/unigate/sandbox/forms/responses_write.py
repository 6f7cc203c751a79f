"""Writes answers in the form of OpenAI's responses, plain and as a stream of typed events in the vendor's order."""

import base64
from collections.abc import Callable, Iterator

from unigate.sandbox.brain import prose, seeds, tokens
from unigate.sandbox.brain.prompt import ToolCall
from unigate.sandbox.forms import responses_hosted
from unigate.sandbox.forms.outcome import Outcome
from unigate.sandbox.forms.responses_hosted import Hosted
from unigate.sandbox.serving.answer import Event, Object, Part, VendorError

_REASONS = {"length": "max_output_tokens", "content_filter": "content_filter"}
#: Members of a response that repeat what was asked, with what they are where nothing was said of them.
_REPEATED: Object = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "safety_identifier": None,
    "store": True,
    "temperature": 1.0,
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
    "metadata": {},
}
#: (kind of the event, its members beside place and number, part, tokens)
_Step = tuple[str, Object, Part, int]


def named(*seed: bytes | str | int) -> Callable[[str], str]:
    """A maker of ids such as `msg_...`, all of one call."""
    dice = seeds.dice(*seed)
    tail = seeds.hexadecimal(dice, 24)
    return lambda prefix: f"{prefix}_{tail}{seeds.hexadecimal(dice, 26)}"


def stream_error(error: VendorError, number: int) -> Event:
    """The vendor's error in the middle of a stream."""
    told = {"code": error.code or error.kind, "message": error.message, "param": error.param}
    return Event({"type": "error", **told, "sequence_number": number}, "end", name="error")


class Writer:
    """Writes one response; `name` makes its ids, `created` is in seconds, `conversation` is the id of its own."""

    def __init__(
        self,
        outcome: Outcome,
        name: Callable[[str], str],
        created: int,
        hosted: Hosted,
        conversation: str | None = None,
    ) -> None:
        self._asked = outcome.asked
        self._outcome = outcome
        self._choice = outcome.choices[0]
        self._name = name
        self._hosted = hosted
        self._created = created
        body, model = outcome.asked.body, outcome.asked.model
        self._dice = seeds.dice(outcome.asked.prompt.seed, "obfuscation")
        reasoning = body.get("reasoning") or {}
        effort = reasoning.get("effort") or ("medium" if model.reasoning else None)
        given = {key: value for key, value in body.items() if key in _REPEATED and value is not None}
        self.id = name("resp")
        self._base: Object = {
            "id": self.id,
            "object": "response",
            "created_at": created,
            "model": model.snapshot or model.name,
            **_REPEATED,
            **given,
            "reasoning": {"effort": effort, "summary": reasoning.get("summary")},
            "text": {"format": {"type": "text"}, "verbosity": "medium", **(body.get("text") or {})},
        }
        if conversation is not None:
            self._base["conversation"] = {"id": conversation}
        self._summary = self._thoughts() if reasoning.get("summary") else ()
        self._included = frozenset(body.get("include") or ())
        self._items = [*self._reasoning(), *hosted.items, *self._calls(), *self._message()]

    def whole(self) -> Object:
        """The plain response."""
        finish = self._choice.finish
        reason = _REASONS.get(finish)
        return {
            **self._base,
            "status": "incomplete" if reason else "completed",
            "completed_at": None if reason else self._created,
            "error": None,
            "incomplete_details": {"reason": reason} if reason else None,
            "output": self._items,
            "service_tier": self._asked.tier,
            "usage": self._usage(),
        }

    def _usage(self) -> Object:
        given, made = self._outcome.size.total, self._outcome.output
        return {
            "input_tokens": given,
            "input_tokens_details": {"cached_tokens": self._outcome.cached},
            "output_tokens": made,
            "output_tokens_details": {"reasoning_tokens": self._outcome.summed("reasoning_tokens")},
            "total_tokens": given + made,
        }

    def _thoughts(self) -> tuple[str, ...]:
        """A summary of what the model thought, in tokens; they count as nothing beside the thoughts themselves."""
        length = self._choice.reasoning_tokens
        return tuple(tokens.pieces(prose.thoughts(self._asked.prompt, length // 2, 0))) if length else ()

    def _reasoning(self) -> list[Object]:
        if not self._choice.reasoning_tokens:
            return []
        text = "".join(self._summary)
        item: Object = {"id": self._name("rs"), "type": "reasoning"}
        item["summary"] = [{"type": "summary_text", "text": text}] if text else []
        if "reasoning.encrypted_content" in self._included:
            item["encrypted_content"] = base64.b64encode(item["id"].encode() * 4).decode()
        return [item]

    def _calls(self) -> list[Object]:
        return [self._call(call) for call in self._choice.calls]

    def _call(self, call: ToolCall) -> Object:
        cut = call is self._choice.calls[-1] and self._choice.finish == "length"
        common = {"status": "incomplete" if cut else "completed", "call_id": call.id, "name": call.name}
        if call.custom:
            return {"id": self._name("ctc"), "type": "custom_tool_call", **common, "input": call.arguments}
        return {"id": self._name("fc"), "type": "function_call", **common, "arguments": call.arguments}

    def _message(self) -> list[Object]:
        choice = self._choice
        if choice.calls or not (choice.content or choice.refusal):
            return []
        if choice.refusal:
            part: Object = {"type": "refusal", "refusal": "".join(choice.refusal)}
        else:
            cited = self._hosted.cited(choice.text)
            part = {"type": "output_text", "annotations": cited, "logprobs": [], "text": choice.text}
        status = "incomplete" if choice.finish in _REASONS else "completed"
        message = {"id": self._name("msg"), "type": "message", "status": status}
        return [{**message, "content": [part], "role": "assistant"}]

    def stream(self, done: Callable[[Object], None]) -> Iterator[Event]:
        """The response in events; `done` is told of it before the last one."""
        for number, (kind, members, part, amount) in enumerate(self._steps(done)):
            data = {"type": kind, **members, "sequence_number": number}
            if kind.endswith(".delta") and self._asked.obfuscate:
                data["obfuscation"] = seeds.letters(self._dice, self._dice.randint(2, 14))
            yield Event(data, part, amount, kind)

    def _steps(self, done: Callable[[Object], None]) -> Iterator[_Step]:
        opening = {**self._base, "status": "in_progress", "completed_at": None, "error": None}
        opening |= {"incomplete_details": None, "output": [], "service_tier": "auto", "usage": None}
        yield "response.created", {"response": opening}, "opening", 0
        yield "response.in_progress", {"response": opening}, "opening", 0
        for place, item in enumerate(self._items):
            index: Object = {"output_index": place}
            empty = {**responses_hosted.EMPTY, "summary": [], "content": [], "arguments": "", "input": ""}
            begun = {key: empty.get(key, value) for key, value in item.items()}
            if "status" in item:
                begun["status"] = "in_progress"
            yield "response.output_item.added", {"item": begun, **index}, "opening", 0
            yield from self._inside(item, {"item_id": item["id"], **index})
            yield "response.output_item.done", {"item": item, **index}, "content", 0
        whole = self.whole()
        done(whole)
        yield f"response.{whole['status']}", {"response": whole}, "end", 0

    def _inside(self, item: Object, at: Object) -> Iterator[_Step]:
        """What comes between the beginning and the end of an item."""
        if item["type"] == "reasoning":
            if item["summary"]:
                yield from self._summed(item["summary"][0], {**at, "summary_index": 0})
        elif responses_hosted.is_hosted(item):
            for kind, told, part in self._hosted.steps(item):
                yield kind, {**told, **at}, part, 0
        elif item["type"] == "message":
            yield from self._said(item["content"][0], {**at, "content_index": 0})
        else:
            field = "input" if item["type"] == "custom_tool_call" else "arguments"
            kind = "custom_tool_call_input" if field == "input" else "function_call_arguments"
            amount = tokens.count(item["name"])
            for piece in tokens.pieces(item[field]):
                yield f"response.{kind}.delta", {"delta": piece, **at}, "content", 1 + amount
                amount = 0
            yield f"response.{kind}.done", {field: item[field], **at}, "content", 0

    def _summed(self, part: Object, at: Object) -> Iterator[_Step]:
        kind = "response.reasoning_summary"
        yield f"{kind}_part.added", {"part": {**part, "text": ""}, **at}, "opening", 0
        for piece in self._summary:
            yield f"{kind}_text.delta", {"delta": piece, **at}, "content", 1
        yield f"{kind}_text.done", {"text": part["text"], **at}, "content", 0
        yield f"{kind}_part.done", {"part": part, **at}, "content", 0

    def _said(self, part: Object, at: Object) -> Iterator[_Step]:
        kind = "refusal" if part["type"] == "refusal" else "output_text"
        field = "refusal" if part["type"] == "refusal" else "text"
        more: Object = {} if field == "refusal" else {"logprobs": []}
        blank: Object = {} if field == "refusal" else {"annotations": []}
        yield "response.content_part.added", {"part": {**part, field: "", **blank}, **at}, "opening", 0
        for piece in self._choice.refusal or self._choice.content:
            yield f"response.{kind}.delta", {"delta": piece, **more, **at}, "content", 1
        for number, cited in enumerate(part.get("annotations", ())):
            told = {"annotation": cited, "annotation_index": number, **at}
            yield "response.output_text.annotation.added", told, "content", 0
        yield f"response.{kind}.done", {field: part[field], **more, **at}, "content", 0
        yield "response.content_part.done", {"part": part, **at}, "content", 0
