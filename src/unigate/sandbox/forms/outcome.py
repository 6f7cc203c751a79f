"""From thoughts to answers: tokens, limits, stop words, reasoning, predictions, and what it all consumed."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher

from unigate.sandbox.brain import prose, sound, tokens
from unigate.sandbox.brain.prompt import Prompt, ToolCall
from unigate.sandbox.brain.schema import BadSchema
from unigate.sandbox.brain.think import Thought, think
from unigate.sandbox.forms.models import Model, picture_tokens
from unigate.sandbox.forms.openai_request import Asked
from unigate.sandbox.serving.answer import VendorError, encode

#: Reasoning tokens by effort; vendors count them in steps of 64.
_EFFORT = {"none": 0, "minimal": 0, "low": 64, "medium": 128, "high": 256, "xhigh": 512, "max": 1024}
#: Tokens around each message and before the answer.
_PER_MESSAGE = 4
_PRIMING = 3
#: Milliseconds of sound per token, heard and spoken.
_MS_HEARD = 100
_MS_SPOKEN = 50
_LONGEST_SPEECH_MS = 2000
#: Longest token lists that are compared with a prediction.
_COMPARED = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """What a prompt counts, in tokens."""

    text: int = 0
    image: int = 0
    audio: int = 0
    #: The prompt's text in tokens, in order: what a prefix cache looks at.
    pieces: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """All tokens."""
        return self.text + self.image + self.audio


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One answer, in tokens."""

    index: int
    content: tuple[str, ...] = ()
    refusal: tuple[str, ...] = ()
    #: What the model thought, where the vendor shows it.
    reasoning: tuple[str, ...] = ()
    #: All that it thought, shown or not.
    reasoning_tokens: int = 0
    calls: tuple[ToolCall, ...] = ()
    finish: str = "stop"
    #: Samples of a spoken answer, whose words are `content`.
    speech: bytes = b""
    speech_ms: int = 0
    accepted: int = 0
    rejected: int = 0

    @property
    def text(self) -> str:
        """The words."""
        return "".join(self.content)

    @property
    def audio_tokens(self) -> int:
        """Tokens of the spoken answer."""
        return -(-self.speech_ms // _MS_SPOKEN)

    @property
    def total(self) -> int:
        """All tokens that count as output."""
        spoken = self.content + self.refusal
        called = sum(call_tokens(call) for call in self.calls)
        return len(spoken) + called + self.reasoning_tokens + self.audio_tokens + self.rejected


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """All answers to one call and what they consumed."""

    asked: Asked
    size: Size
    choices: tuple[Choice, ...]
    cached: int = 0

    @property
    def output(self) -> int:
        """Output tokens of all answers."""
        return sum(choice.total for choice in self.choices)

    def summed(self, name: str) -> int:
        """The sum of a number over all answers."""
        return sum(getattr(choice, name) for choice in self.choices)

    def units(self) -> Mapping[str, int]:
        """What the log keeps."""
        found = {
            "input": self.size.total,
            "cached_input": self.cached,
            "output": self.output,
            "reasoning": self.summed("reasoning_tokens"),
            "image_input": self.size.image,
            "audio_input": self.size.audio,
            "audio_output": self.summed("audio_tokens"),
        }
        return {name: amount for name, amount in found.items() if amount or name in ("input", "output")}


def call_tokens(call: ToolCall) -> int:
    """Tokens of one tool call."""
    return tokens.count(call.name) + tokens.count(call.arguments)


def measure(prompt: Prompt, model: Model) -> Size:
    """Count a prompt; VendorError where it is longer than the model's context."""
    texts = [encode([[t.name, t.description, t.schema] for t in prompt.tools]).decode()] if prompt.tools else []
    image = audio = overhead = 0
    for turn in prompt.turns:
        texts.append(turn.text)
        texts += [f"{call.name}{call.arguments}" for call in turn.calls]
        texts += [file.text or "x" * (file.size // 4) for file in turn.files]
        image += sum(picture_tokens(model, p.width, p.height, p.detail) for p in turn.pictures)
        audio += sum(-(-s.ms // _MS_HEARD) for s in turn.sounds)
        overhead += _PER_MESSAGE
    if prompt.schema is not None:
        texts.append(encode(prompt.schema).decode())
    pieces = tuple(piece for text in texts for piece in tokens.pieces(text))
    size = Size(text=len(pieces) + overhead + _PRIMING, image=image, audio=audio, pieces=pieces)
    if size.total > model.context:
        told = (
            f"This model's maximum context length is {model.context} tokens. However, your messages resulted in "
            f"{size.total} tokens. Please reduce the length of the messages."
        )
        raise VendorError(400, told, param="messages", code="context_length_exceeded")
    return size


def answer(asked: Asked, *, shown: bool = False, empty: bool = False) -> tuple[Choice, ...]:
    """All answers to a call. `shown`: the vendor shows what its models think; `empty`: they say nothing."""
    if empty:
        return tuple(Choice(index=index) for index in range(asked.count))
    try:
        thoughts = [think(asked.prompt, index) for index in range(asked.count)]
    except BadSchema as error:
        raise VendorError(400, f"Invalid schema: {error}", code="invalid_json_schema") from None
    return tuple(_choice(asked, index, thought, shown=shown) for index, thought in enumerate(thoughts))


def _choice(asked: Asked, index: int, thought: Thought, *, shown: bool) -> Choice:
    """One thought within the limits of the call."""
    room = asked.model.output if asked.limit is None else asked.limit
    reasoning: tuple[str, ...] = ()
    reasoning_tokens = _EFFORT[asked.effort] if asked.model.reasoning else 0
    if shown and reasoning_tokens:
        reasoning = tuple(tokens.pieces(prose.thoughts(asked.prompt, reasoning_tokens // 2, index)))[:room]
        reasoning_tokens = len(reasoning)
    reasoning_tokens = min(reasoning_tokens, room)
    room -= reasoning_tokens
    finish = "content_filter" if thought.filtered else "stop"
    text = stopped(thought.text, asked.stop)
    if thought.filtered:
        text = text[: len(text) // 2]
    content, refusal = tuple(tokens.pieces(text)), tuple(tokens.pieces(thought.refusal))
    calls, cut = _within(thought.calls, room)
    if calls:
        finish = "function_call" if asked.functions else "tool_calls"
    if cut or len(content) > room or len(refusal) > room:
        content, refusal, finish = content[:room], refusal[:room], "length"
    ms = min(_LONGEST_SPEECH_MS, 80 * len(content)) if asked.speak else 0
    accepted, rejected = _predicted(asked.prompt.prediction, content)
    return Choice(
        index=index,
        content=content,
        refusal=refusal,
        reasoning=reasoning,
        reasoning_tokens=reasoning_tokens,
        calls=calls,
        finish=finish,
        speech=sound.tone(ms, 220 + asked.prompt.seed % 440) if ms else b"",
        speech_ms=ms,
        accepted=accepted,
        rejected=rejected,
    )


def stopped(text: str, stop: tuple[str, ...]) -> str:
    """The text up to the first stop word."""
    ends = [at for word in stop if (at := text.find(word)) >= 0]
    return text[: min(ends)] if ends else text


def _within(calls: tuple[ToolCall, ...], room: int) -> tuple[tuple[ToolCall, ...], bool]:
    """As many calls as fit into so many tokens; the last one may be cut short."""
    kept: list[ToolCall] = []
    for call in calls:
        needed = call_tokens(call)
        if needed > room:
            left = room - tokens.count(call.name)
            if left >= 0:
                cut = "".join(tokens.pieces(call.arguments)[:left])
                kept.append(ToolCall(id=call.id, name=call.name, arguments=cut, custom=call.custom))
            return tuple(kept), True
        room -= needed
        kept.append(call)
    return tuple(kept), False


def _predicted(prediction: str | None, content: tuple[str, ...]) -> tuple[int, int]:
    """How many tokens of a prediction stand in the answer, and how many do not."""
    if prediction is None:
        return 0, 0
    expected = tokens.pieces(prediction)
    pair = SequenceMatcher(None, expected[:_COMPARED], content[:_COMPARED], autojunk=False)
    accepted = sum(block.size for block in pair.get_matching_blocks())
    return accepted, len(expected) - accepted
