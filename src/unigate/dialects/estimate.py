"""Tokens counted from text alone, for calls whose provider does not tell: an estimate, never a tokenizer.

Words and numbers are cut the way byte-pair tokenizers cut them before merging; each script has its own
rate of characters per token. Measured against counts that vendors reported: tests/dialects/test_dialects_estimate.py.
"""

import re
from collections.abc import Mapping

import msgspec

from unigate.spec.usage import Usage

#: What a chat's frame costs for each message, and once for the answer's opening.
PER_MESSAGE = 4
PER_CALL = 3
#: What vendors write around descriptions of tools.
PER_TOOLS = 60
#: The frame of one tool call, beside its name and arguments.
PER_TOOL_CALL = 5
#: A picture of unknown size (a square of 1024 at high detail with a common vendor).
PER_IMAGE = 765
#: English words up to this many letters are one token; a piece of a stream that is no longer is taken for one.
SHORT = 8
#: Characters of base64 per token of sound: 20 tokens a second of 24 kHz PCM at 16 bits.
AUDIO_CHARACTERS = 3200

# In the order of the groups: words, digits by three, runs of signs, line ends, wide scripts, everything else.
_ASCII = re.compile(r"[A-Za-z]+|[0-9]{1,3}|[^\sA-Za-z0-9]{1,4}|\s*\n|\s{2,}")
_RUNS = re.compile(
    r"([\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+)"  # Han
    r"|([\u3040-\u30ff]+)"  # kana
    r"|([\uac00-\ud7af]+)"  # Hangul
    r"|([A-Za-z\u00c0-\u024f\u1e00-\u1eff]+)"  # Latin
    r"|([\u0370-\u052f]+)"  # Greek, Cyrillic
    r"|([\u0590-\u08ff]+)"  # Hebrew, Arabic
    r"|([\u0900-\u109f\u1780-\u17ff]+)"  # Indic, Thai, Myanmar, Khmer
    r"|([0-9]{1,3}|[!-/:-@\[-`{-~]{1,4}|\s*\n|\s{2,})"
    r"|([^\s\x00-\x7f])"
)
#: Characters per token of the scripts above, and tokens per match of the last two groups, both in hundredths.
_PER_TOKEN = (130, 150, 140, 400, 330, 270, 230)
_PER_MATCH = {8: 100, 9: 200}


def text_tokens(text: str) -> int:
    """About how many tokens a text has."""
    if text.isascii():
        pieces = _ASCII.findall(text)
        return len(pieces) + sum((len(piece) - 1) // SHORT for piece in pieces if len(piece) > SHORT)
    hundredths = 0
    for run in _RUNS.finditer(text):
        group = run.lastindex or 0
        if group <= len(_PER_TOKEN):
            # Words of one run count at least one token.
            hundredths += max((run.end() - run.start()) * 10_000 // _PER_TOKEN[group - 1], 100)
        else:
            hundredths += _PER_MATCH[group]
    return -(-hundredths // 100)


def piece_tokens(text: str) -> int:
    """The same for one piece of a stream, where a short one is most often one token."""
    if len(text) <= SHORT and text.isascii() and (text[1:].isalpha() or len(text) == 1):
        return 1
    return max(text_tokens(text), 1)


def value_tokens(value: object) -> int:
    """Tokens of all texts inside a decoded JSON value (tool calls, content parts, reasoning details)."""
    if isinstance(value, str):
        return text_tokens(value)
    if isinstance(value, list):
        return sum(value_tokens(item) for item in value)
    if isinstance(value, Mapping):
        inner = sum(value_tokens(item) for key, item in value.items() if key not in _NO_TEXT)
        return inner + (PER_TOOL_CALL if value.get("id") and "function" in value else 0)
    return 0


def prompt_tokens(value: object) -> int:
    """Tokens of a prompt, or of what is to be embedded: text, tokens themselves (integers), or lists of either."""
    if isinstance(value, list):
        return sum(map(prompt_tokens, value))
    return 1 if type(value) is int else value_tokens(value)


def speaks(value: object) -> bool:
    """Whether a message, or a member of one, holds anything but labels."""
    if isinstance(value, str):
        return bool(value)
    if isinstance(value, list):
        return any(map(speaks, value))
    if isinstance(value, Mapping):
        return any(speaks(inner) for key, inner in value.items() if key not in _LABELS)
    return False


def audio_tokens(value: object) -> int:
    """Tokens of the sound in a message or in its `audio` member, from the length of its base64."""
    if not isinstance(value, Mapping):
        return 0
    audio = value.get("audio", value)
    sound = audio.get("data") if isinstance(audio, Mapping) else None
    return -(-len(sound) // AUDIO_CHARACTERS) if isinstance(sound, str) else 0


#: Members that say what a part is, not what the model said.
_LABELS = frozenset({"type", "format", "index", "id", "role", "signature", "annotations", "expires_at"})
#: Members of content parts and tool calls that are no text of the model's.
_NO_TEXT = frozenset(
    {
        "id",
        "type",
        "index",
        "format",
        "signature",
        "data",
        "role",
        "url",
        "file_id",
        "file_data",
        "detail",
        "expires_at",
    }
)


class _Frame(msgspec.Struct, gc=False):
    messages: list[object] = []
    tools: object = None
    functions: object = None
    response_format: object = None


_frame = msgspec.json.Decoder(_Frame)


def input_tokens(body: bytes) -> int:
    """About how many input tokens a chat body has; a third of its bytes where it can't be read."""
    try:
        frame = _frame.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return len(body) // 3
    total = PER_CALL + value_tokens(frame.messages) + PER_MESSAGE * len(frame.messages)
    total += body.count(b'"image_url"') * PER_IMAGE // (2 if b'"type"' in body else 1)
    if frame.tools or frame.functions:
        total += PER_TOOLS
    return total + sum(map(schema_tokens, (frame.tools, frame.functions, frame.response_format)))


def schema_tokens(schema: object) -> int:
    """About how many tokens the model reads of schemas: vendors rewrite them into a shorter form."""
    return 0 if schema is None else text_tokens(msgspec.json.encode(schema).decode()) * 2 // 5


def usage(body: bytes, output: int, audio_output: int = 0) -> Usage:
    """Usage made of the request's body and what was counted of the answer, marked as estimated."""
    units = {"input": input_tokens(body), "output": output}
    if audio_output:
        units["audio_output"] = audio_output
    return Usage(units, estimated=True)
