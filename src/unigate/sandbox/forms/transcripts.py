"""What was heard, in every form that OpenAI gives it: JSON, text, subtitles, words and segments with their times, events."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from unigate.sandbox.brain import seeds, tokens
from unigate.sandbox.media.listen import Heard
from unigate.sandbox.media.voice import Spoken
from unigate.sandbox.serving.answer import Event, Object

#: Words of a segment that no sentence ends.
_LONGEST = 14
_ENDS = (".", "!", "?", "。", "！", "？")  # noqa: RUF001


@dataclass(frozen=True, slots=True)
class Segment:
    """A sentence, or part of a long one, in milliseconds."""

    text: str
    start: int
    end: int
    words: tuple[Spoken, ...]


def segments(heard: Heard) -> list[Segment]:
    """The sentences."""
    found: list[Segment] = []
    at, waiting = 0, list[Spoken]()
    for number, word in enumerate(heard.words):
        waiting.append(word)
        if word.word.endswith(_ENDS) or len(waiting) == _LONGEST or number == len(heard.words) - 1:
            at, text = _said(heard.text, at, waiting)
            found.append(Segment(text, waiting[0].start, waiting[-1].end, tuple(waiting)))
            waiting = []
    return found


def _said(text: str, at: int, spoken: Sequence[Spoken]) -> tuple[int, str]:
    """The part of the text that these words are, blanks before it included."""
    start = at
    for one in spoken:
        at = text.index(one.word, at) + len(one.word)
    return at, text[start:at]


def srt(heard: Heard) -> str:
    """SubRip subtitles."""
    return "".join(
        f"{number}\n{_clock(one.start, ',')} --> {_clock(one.end, ',')}\n{one.text.strip()}\n\n"
        for number, one in enumerate(segments(heard), 1)
    )


def vtt(heard: Heard) -> str:
    """WebVTT subtitles."""
    shown = (f"{_clock(one.start, '.')} --> {_clock(one.end, '.')}\n{one.text.strip()}\n\n" for one in segments(heard))
    return "WEBVTT\n\n" + "".join(shown)


def _clock(ms: int, point: str) -> str:
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}{point}{ms % 1000:03}"


def verbose(heard: Heard, language: str, task: str, granularities: Sequence[str]) -> Object:
    """`verbose_json`; segments, unless only words are asked for."""
    told: Object = {
        "task": task,
        "language": language,
        "duration": heard.length_ms / 1000,
        "text": heard.text,
    }
    if "word" in granularities:
        told["words"] = [{"word": one.word, "start": one.start / 1000, "end": one.end / 1000} for one in heard.words]
    if "segment" in granularities or not granularities:
        told["segments"] = [_segment(number, one) for number, one in enumerate(segments(heard))]
    return {**told, "usage": duration(heard)}


def _segment(number: int, one: Segment) -> Object:
    dice = seeds.dice(one.text, "segment")
    return {
        "id": number,
        "seek": one.start // 10,
        "start": one.start / 1000,
        "end": one.end / 1000,
        "text": one.text,
        "tokens": [seeds.seed(piece) % 50_257 for piece in tokens.pieces(one.text)],
        "temperature": 0.0,
        "avg_logprob": round(-dice.uniform(0.1, 0.5), 6),
        "compression_ratio": round(dice.uniform(0.9, 1.6), 6),
        "no_speech_prob": round(dice.uniform(0.001, 0.02), 6),
    }


def diarized(heard: Heard, names: Sequence[str]) -> Object:
    """`diarized_json`: who said what; sentences take turns."""
    told = {"task": "transcribe", "duration": heard.length_ms / 1000, "text": heard.text}
    return {**told, "segments": speakers(heard, names)}


def speakers(heard: Heard, names: Sequence[str]) -> list[Object]:
    """The sentences with their speakers: two at least, known ones first."""
    known = [*names, *"ABCD"[len(names) :]]
    turns = max(2, len(names))
    return [
        {
            "type": "transcript.text.segment",
            "id": f"seg_{number:03}",
            "start": one.start / 1000,
            "end": one.end / 1000,
            "text": one.text,
            "speaker": known[number % turns],
        }
        for number, one in enumerate(segments(heard))
    ]


def logprobs(text: str) -> list[Object]:
    """How sure each token is."""
    return [
        {"token": piece, "logprob": round(-seeds.dice(piece, "heard").random() / 4, 6), "bytes": list(piece.encode())}
        for piece in tokens.pieces(text)
    ]


def duration(heard: Heard) -> Object:
    """Usage of models that are paid by time."""
    return {"type": "duration", "seconds": math.ceil(heard.length_ms / 1000)}


def token_usage(heard: Heard, prompt: str) -> Object:
    """Usage of models that are paid by tokens: ten for a second of sound."""
    audio, text = math.ceil(heard.length_ms / 100), tokens.count(prompt) if prompt else 0
    output = tokens.count(heard.text)
    return {
        "type": "tokens",
        "input_tokens": audio + text,
        "input_token_details": {"text_tokens": text, "audio_tokens": audio},
        "output_tokens": output,
        "total_tokens": audio + text + output,
    }


def events(heard: Heard, usage: Object, *, sure: bool, names: Sequence[str] | None) -> Iterator[Event]:
    """A transcript as it comes: token by token, with segments where speakers are asked for (`names`)."""
    if names is None:
        for piece in tokens.pieces(heard.text):
            delta: Object = {"type": "transcript.text.delta", "delta": piece}
            if sure:
                delta["logprobs"] = logprobs(piece)
            yield Event(delta, tokens=1)
    else:
        for one in speakers(heard, names):
            for piece in tokens.pieces(one["text"]):
                yield Event({"type": "transcript.text.delta", "delta": piece, "segment_id": one["id"]}, tokens=1)
            yield Event(one)
    done: Object = {"type": "transcript.text.done", "text": heard.text}
    if sure:
        done["logprobs"] = logprobs(heard.text)
    yield Event({**done, "usage": usage}, "finish")
