"""Completions in OpenAI's older form as a handler: plain answers and streams.

https://platform.openai.com/docs/api-reference/completions
"""

from collections.abc import Iterator

from unigate.base import clock
from unigate.sandbox.brain import seeds
from unigate.sandbox.forms import openai_continued, openai_named, openai_request
from unigate.sandbox.forms.manner import Manner
from unigate.sandbox.forms.openai_continued import Continued, Outcome, sureness
from unigate.sandbox.serving.answer import Answer, Event, Object, Stream, Whole
from unigate.sandbox.serving.face import Call, Handler


def completions(manner: Manner) -> Handler:
    """POST /completions."""

    async def handle(call: Call) -> Answer:
        """Continue the prompts."""
        body = openai_request.decode(call.body)
        model = openai_named.model(manner, call, body, "text")
        asked = openai_continued.read(body, model)
        result = openai_continued.answer(asked, empty="empty" in call.fault)
        call.world.accounts.charge(call.credential, result.input, result.output)
        writer = _Writer(result, call.number, clock.now_ms() // 1000)
        if asked.stream:
            return Stream(events=writer.stream(), usage=result.units(), model=model.name, pace=model.pace)
        return Whole(
            payload=writer.whole(),
            indent=manner.indent,
            usage=result.units(),
            tokens=result.output,
            model=model.name,
            pace=model.pace,
        )

    return handle


class _Writer:
    """Writes one answer; `number` makes its id unique, `created` is in seconds."""

    def __init__(self, outcome: Outcome, number: int, created: int) -> None:
        self._outcome = outcome
        self._asked = outcome.asked
        model = self._asked.model
        self._base: Object = {
            "id": "cmpl-" + seeds.letters(seeds.dice(self._asked.seed, number, "id"), 29),
            "object": "text_completion",
            "created": created,
            "model": model.snapshot or model.name,
        }

    def whole(self) -> Object:
        """The plain answer."""
        choices = [
            {
                "text": "".join(choice.shown + choice.content),
                "index": choice.index,
                "logprobs": self._logprobs(choice, 0, len(choice.shown) + len(choice.content)),
                "finish_reason": choice.finish,
            }
            for choice in self._outcome.choices
        ]
        return {**self._base, "choices": choices, "usage": self._usage()}

    def stream(self) -> Iterator[Event]:
        """The answer in events: those of several answers take turns."""
        waiting = [self._events(choice) for choice in self._outcome.choices]
        while waiting:
            for events in tuple(waiting):
                event = next(events, None)
                if event is None:
                    waiting.remove(events)
                else:
                    yield event
        if self._asked.include_usage:
            yield Event({**self._base, "choices": [], "usage": self._usage()}, "usage")
        yield Event("[DONE]", "end")

    def _events(self, choice: Continued) -> Iterator[Event]:
        shown = len(choice.shown)
        if shown:
            yield self._chunk(choice, 0, shown)
        for place in range(len(choice.content)):
            yield self._chunk(choice, shown + place, shown + place + 1)
        end = {"text": "", "index": choice.index, "logprobs": None, "finish_reason": choice.finish}
        yield Event(self._framed(end), "finish")

    def _chunk(self, choice: Continued, start: int, end: int) -> Event:
        pieces = choice.shown + choice.content
        listed = {
            "text": "".join(pieces[start:end]),
            "index": choice.index,
            "logprobs": self._logprobs(choice, start, end),
            "finish_reason": None,
        }
        return Event(self._framed(listed), "content", max(end - max(start, len(choice.shown)), 0))

    def _framed(self, choice: Object) -> Object:
        chunk: Object = {**self._base, "choices": [choice]}
        return {**chunk, "usage": None} if self._asked.include_usage else chunk

    def _logprobs(self, choice: Continued, start: int, end: int) -> Object | None:
        """How sure the model is of each token from `start` to `end`; the first of a prompt has nothing before it."""
        most = self._asked.logprobs
        if most is None:
            return None
        pieces = choice.shown + choice.content
        sure: list[float | None] = []
        top: list[dict[str, float] | None] = []
        offsets: list[int] = []
        before = 0 if choice.shown else self._prompt_length(choice)
        offset = before + sum(map(len, pieces[:start]))
        for place in range(start, end):
            known = place > 0 or not choice.shown
            found = sureness(choice.seed, pieces[place], place, most)
            sure.append(found[0] if known else None)
            top.append(found[1] if known else None)
            offsets.append(offset)
            offset += len(pieces[place])
        listed: Object = {"tokens": list(pieces[start:end]), "token_logprobs": sure}
        return {**listed, "top_logprobs": top if most else None, "text_offset": offsets}

    def _prompt_length(self, choice: Continued) -> int:
        """Offsets count from the beginning of the prompt, shown or not."""
        return sum(map(len, self._asked.prompts[choice.index // self._asked.count]))

    def _usage(self) -> Object:
        given, made = self._outcome.input, self._outcome.output
        return {"prompt_tokens": given, "completion_tokens": made, "total_tokens": given + made}
