"""How much a realtime model will read for its next response, counted from what passed. Pure.

Two counts are kept: the most that it can be, for what is held, and about what it is, for a response whose vendor does not
tell. Each response tells what the conversation had become, and both begin anew from there.
"""

import msgspec

from unigate.dialects import openai_realtime_events as events
from unigate.dialects.openai_realtime_events import PCM, UPDATES, CallerEvent, SessionFacts, VendorEvent
from unigate.spec.usage import Usage

#: Tokens per second of sound: the caller's, and the model's.
HEARD, SAID = 10, 20
#: Tokens of a picture at most, about, whatever it shows.
_PICTURE = 1600
#: What surrounds an item.
_FRAME = 8
#: What a response reads and says: always, where there is sound in the conversation, where there are pictures, and where
#: the model speaks.
_TEXT = frozenset({"input", "cached_input", "output"})
_HEARD = frozenset({"audio_input", "cached_audio_input"})
_SEEN = frozenset({"image_input", "cached_image_input"})
_SPOKEN = frozenset({"audio_output"})


class Context:
    """The conversation as it goes into the next response."""

    __slots__ = ("_added", "_sound", "_units", "facts", "heard", "most", "text")

    def __init__(self) -> None:
        #: The most tokens that it can be.
        self.most = 0
        #: About how many tokens it is: of text, and of sound.
        self.text = 0
        self.heard = 0
        #: As the vendor has it.
        self.facts = SessionFacts()
        #: Characters of sound since the last commit.
        self._sound = 0
        #: Added since the response under way began.
        self._added = 0
        #: Units that have come up, of the conversation and of responses that were asked for.
        self._units = _TEXT

    @property
    def open(self) -> bool:
        """It has texts that did not pass here."""
        return self.facts.prompt

    @property
    def units(self) -> frozenset[str]:
        """The units that the next response can read and say."""
        if self.open:
            return self._units | _HEARD | _SEEN | _SPOKEN
        return self._units | _SPOKEN if self.facts.speaks else self._units

    def configured(self, event: VendorEvent, facts: SessionFacts) -> None:
        """The vendor tells how the session is; at its beginning that counts."""
        self.facts = facts
        if event.begins_session:
            self._add(len(memoryview(event.session)), len(memoryview(event.session)) // 4)

    def asked(self, event: CallerEvent) -> None:
        """An event of the caller goes to the vendor."""
        if event.type == "input_audio_buffer.append":
            self._hear(len(memoryview(event.audio)))
        elif event.type == "conversation.item.create":
            self._take(event.item)
        elif event.type in UPDATES:
            self._take(event.session)
        elif event.type == "response.create":
            self._take(event.response)
            if events.speaks(event.response):
                self._units |= _SPOKEN

    def committed(self) -> int:
        """The caller's sound since the last commit has become an item; its milliseconds, at most."""
        characters, self._sound = self._sound, 0
        return -(-characters * 1000 // self.facts.input_rate)

    def began(self) -> None:
        """A response begins."""
        self._added = 0

    def answered(self, usage: Usage, output_in_it: bool) -> None:
        """A response has told what it read and said; what came since it began is added to that."""
        if not output_in_it:
            return
        self.most = usage.tokens + self._added
        units = usage.units
        self.heard = sum(units.get(unit, 0) for unit in ("audio_input", "cached_audio_input", "audio_output"))
        self.text = usage.tokens - self.heard
        if self.heard:
            self._units |= _HEARD

    def estimated(self, words: int, sound: int) -> Usage:
        """Usage of a response whose vendor does not tell: what it read, and the words and the sound that passed."""
        units = {"input": self.text, "audio_input": self.heard, "output": words, "audio_output": self.spoken(sound)}
        return Usage({unit: count for unit, count in units.items() if count}, estimated=True)

    def spoken(self, sound: int) -> int:
        """Tokens of so many characters of the model's sound."""
        return -(-sound * SAID // self.facts.output_rate)

    def _hear(self, characters: int) -> None:
        self._sound += characters
        self._units |= _HEARD
        tokens = characters * HEARD // self.facts.input_rate + 1
        self._add(tokens, 0)
        self.heard += characters * HEARD // self.facts.input_rate

    def _take(self, raw: msgspec.Raw) -> None:
        """Count what stands in an item or a configuration."""
        try:
            value: object = msgspec.json.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return
        text, sound, pictures = _parts(value)
        heard = -(-sound * HEARD // PCM)
        if sound:
            self._units |= _HEARD
        if pictures:
            self._units |= _SEEN
        # A byte is at most a token; of sound in an item the format is not known, so the shortest counts.
        self._add(_FRAME + text + sound * HEARD // 10_000 + pictures * _PICTURE, text // 4)
        self.heard += heard

    def _add(self, most: int, text: int) -> None:
        self.most += most
        self._added += most
        self.text += text


def _parts(value: object, name: str = "") -> tuple[int, int, int]:
    """Bytes of text, characters of sound, and pictures inside the value of a member."""
    if isinstance(value, str):
        if name == "image_url" or value.startswith("data:image"):
            return 0, 0, 1
        return (0, len(value), 0) if name == "audio" else (len(value.encode()), 0, 0)
    if isinstance(value, dict):
        found = [_parts(one, key) for key, one in value.items()]
        names = sum(len(key) for key in value)
    else:
        found = [_parts(one, name) for one in value] if isinstance(value, list) else []
        names = 0
    return names + sum(f[0] for f in found), sum(f[1] for f in found), sum(f[2] for f in found)
