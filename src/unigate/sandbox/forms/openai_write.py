"""Writes answers in OpenAI's chat form, plain and as a stream."""

import base64
from collections.abc import Iterator
from typing import Any

from unigate.sandbox.brain import seeds, sound, tokens
from unigate.sandbox.brain.prompt import ToolCall
from unigate.sandbox.forms.manner import Manner
from unigate.sandbox.forms.outcome import Choice, Outcome
from unigate.sandbox.serving.answer import Event, Object, Part

#: Bytes of sound in one chunk.
_SOUND_CHUNK = 12_000
_SPEECH_LIVES = 3600
_TAGS = ("<think>\n", "\n</think>\n\n")
_SOURCE = {"title": "Sandbox encyclopedia", "url": "https://sandbox.example/encyclopedia"}


class Writer:
    """Writes one answer; `number` makes its id unique, `created` is in seconds."""

    def __init__(self, outcome: Outcome, manner: Manner, number: int, created: int) -> None:
        self._outcome = outcome
        self._asked = outcome.asked
        self._manner = manner
        self._created = created
        self._dice = seeds.dice(self._asked.prompt.seed, number, "id")
        model = self._asked.model
        fingerprint = (
            None if model.reasoning and manner.tiers else manner.fingerprint(seeds.dice(model.name, "fingerprint"))
        )
        self._base: Object = {
            "id": manner.identity(self._dice),
            "object": "chat.completion",
            "created": created,
            "model": model.snapshot or model.name,
            **({"service_tier": self._asked.tier} if manner.tiers else {}),
            "system_fingerprint": fingerprint,
        }
        self._thoughts = manner.thoughts(self._asked.body)

    def whole(self) -> Object:
        """The plain answer."""
        choices = [
            {
                "index": choice.index,
                "message": self._message(choice),
                "logprobs": self._logprobs(choice.content) if self._asked.logprobs else None,
                "finish_reason": choice.finish,
            }
            for choice in self._outcome.choices
        ]
        answer = {**self._base, "choices": choices, "usage": self._manner.usage(self._outcome)}
        return self._manner.whole(answer, self._outcome)

    def _message(self, choice: Choice) -> Object:
        silent = bool(choice.calls or choice.refusal or choice.speech)
        message: Object = {"role": "assistant", "content": None if silent else choice.text}
        if self._thoughts and choice.reasoning:
            thoughts = "".join(self._thought(choice))
            message[self._thoughts] = f"{thoughts}{choice.text}" if self._thoughts == "content" else thoughts
        if choice.calls and self._asked.functions:
            call = choice.calls[0]
            message["function_call"] = {"name": call.name, "arguments": call.arguments}
        elif choice.calls:
            message["tool_calls"] = [_call(call, call.arguments) for call in choice.calls]
        if choice.speech:
            samples = choice.speech
            data = sound.wav(samples) if self._asked.speak == "wav" else samples
            message["audio"] = {
                "id": "audio_" + seeds.hexadecimal(self._dice, 24),
                "expires_at": self._created + _SPEECH_LIVES,
                "data": base64.b64encode(data).decode(),
                "transcript": choice.text,
            }
        if self._manner.refusals:
            message["refusal"] = "".join(choice.refusal) or None
            message["annotations"] = self._annotations(choice)
        return message

    def _thought(self, choice: Choice) -> tuple[str, ...]:
        """What the model thought, in tags where it stands in the text."""
        if self._thoughts != "content" or not choice.reasoning:
            return choice.reasoning
        return _TAGS[0], *choice.reasoning, _TAGS[1]

    def _annotations(self, choice: Choice) -> list[Object]:
        if not self._asked.search or not choice.content:
            return []
        return [{"type": "url_citation", "url_citation": {"start_index": 0, "end_index": len(choice.text), **_SOURCE}}]

    def _logprobs(self, content: tuple[str, ...]) -> Object:
        found: Object = {"content": [self._logprob(piece, place) for place, piece in enumerate(content)]}
        return {**found, "refusal": None} if self._manner.refusals else found

    def _logprob(self, piece: str, place: int) -> Object:
        """How sure the model is of a token, and what else it would have said."""
        dice = seeds.dice(self._asked.prompt.seed, piece, place)
        sure = -round(dice.random() * 0.5, 6)
        first = _token(piece, sure)
        others = [_token(f"{piece}{number}", round(sure - number - dice.random(), 6)) for number in range(1, 21)]
        top = [first, *others][: self._asked.top_logprobs]
        return {**first, "top_logprobs": top}

    def stream(self) -> Iterator[Event]:
        """The answer in events."""
        return self._manner.events(self._events(), self._outcome)

    def _events(self) -> Iterator[Event]:
        waiting = [self._choice_events(choice) for choice in self._outcome.choices]
        while waiting:
            for choice in tuple(waiting):
                event = next(choice, None)
                if event is None:
                    waiting.remove(choice)
                else:
                    yield event
        if self._asked.include_usage:
            yield Event(self._chunk([], self._manner.usage(self._outcome)), "usage")
        yield Event("[DONE]", "end")

    def _chunk(self, choices: list[Object], usage: Object | None = None) -> Object:
        chunk: Object = {**self._base, "object": "chat.completion.chunk", "choices": choices}
        if self._asked.include_usage:
            chunk["usage"] = usage
        if self._manner.obfuscates and self._asked.obfuscate:
            chunk["obfuscation"] = seeds.letters(self._dice, self._dice.randint(2, 14))
        return chunk

    def _choice_events(self, choice: Choice) -> Iterator[Event]:
        for delta, part, amount in self._deltas(choice):
            listed: Object = {"index": choice.index, "delta": delta, "logprobs": None, "finish_reason": None}
            if self._asked.logprobs and part == "content" and delta.get("content"):
                listed["logprobs"] = self._logprobs((delta["content"],))
            yield Event(self._chunk([listed]), part, amount)
        end = {"index": choice.index, "delta": {}, "logprobs": None, "finish_reason": choice.finish}
        yield Event(self._chunk([end]), "finish")

    def _deltas(self, choice: Choice) -> Iterator[tuple[Object, Part, int]]:
        """What each chunk adds, what it is for, and how many tokens it has."""
        silent = bool(choice.calls or choice.speech)
        opening: Object = {"role": "assistant", "content": None if silent else ""}
        if self._manner.refusals:
            opening["refusal"] = None
        calls = self._call_deltas(choice.calls)
        if len(choice.calls) == 1:
            first, amount = next(calls)
            yield {**opening, **first}, "content", amount
        else:
            yield opening, "opening", 0
        if self._thoughts:
            for piece in self._thought(choice):
                yield {self._thoughts: piece}, "content", piece not in _TAGS
        if choice.speech:
            yield from self._speech_deltas(choice)
        else:
            for piece in choice.content if not choice.calls else ():
                yield {"content": piece}, "content", 1
        for piece in choice.refusal:
            yield {"refusal": piece}, "content", 1
        for delta, amount in calls:
            yield delta, "content", amount
        if self._asked.search and choice.content:
            yield {"annotations": self._annotations(choice)}, "content", 0

    def _call_deltas(self, calls: tuple[ToolCall, ...]) -> Iterator[tuple[Object, int]]:
        """Each call as its name, then pieces of its arguments."""
        for number, call in enumerate(calls):
            pieces = tokens.pieces(call.arguments)
            if self._asked.functions:
                yield {"function_call": {"name": call.name, "arguments": ""}}, tokens.count(call.name)
                for piece in pieces:
                    yield {"function_call": {"arguments": piece}}, 1
                continue
            yield {"tool_calls": [{"index": number, **_call(call, "")}]}, tokens.count(call.name)
            for piece in pieces:
                more: Object = {"custom": {"input": piece}} if call.custom else {"function": {"arguments": piece}}
                yield {"tool_calls": [{"index": number, **more}]}, 1

    def _speech_deltas(self, choice: Choice) -> Iterator[tuple[Object, Part, int]]:
        identity = "audio_" + seeds.hexadecimal(self._dice, 24)
        for piece in choice.content:
            yield {"audio": {"id": identity, "transcript": piece}}, "content", 1
        for at in range(0, len(choice.speech), _SOUND_CHUNK):
            data = base64.b64encode(choice.speech[at : at + _SOUND_CHUNK]).decode()
            yield {"audio": {"id": identity, "data": data}}, "content", 0
        yield {"audio": {"id": identity, "expires_at": self._created + _SPEECH_LIVES}}, "content", 0


def _call(call: ToolCall, arguments: str) -> Object:
    if call.custom:
        return {"id": call.id, "type": "custom", "custom": {"name": call.name, "input": arguments}}
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}


def _token(text: str, logprob: float) -> dict[str, Any]:
    return {"token": text, "logprob": logprob, "bytes": list(text.encode())}
