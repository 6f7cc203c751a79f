"""How a piece of music sounds: tempo, key, metre and instruments, read from words. It knows no samples."""

import re
from dataclasses import dataclass, replace

from unigate.sandbox.brain import seeds

#: Semitones above the root.
MAJOR, MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)
_ROOTS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
_KEY = re.compile(r"\b([A-G])( ?sharp|#| ?flat|b)?[ -]?(major|minor|maj|min)\b", re.IGNORECASE)
_TEMPO = re.compile(r"\b(\d{2,3}) ?bpm\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """What all instruments share, and which ones play."""

    #: Beats per minute, and in a bar.
    tempo: int
    beats: int = 4
    #: The note that everything comes back to: 0 (C) to 11 (B).
    root: int
    minor: bool
    #: Instruments (`music_notes.TIMBRES`) of melody, chords and bass; empty: nobody plays.
    melody: str
    chords: str
    bass: str = "bass"
    #: The pattern of the drums (`music_drums.PATTERNS`); empty: none.
    drums: str = ""
    #: Whether the voice is high.
    high: bool = True

    @property
    def scale(self) -> tuple[int, ...]:
        """Semitones of its seven notes above the root."""
        return MINOR if self.minor else MAJOR

    def pitch(self, degree: int, octave: int) -> int:
        """The key number (60: middle C) of a note of the scale, counted from the root of an octave."""
        return 12 * (octave + degree // 7) + self.root + self.scale[degree % 7]


#: Words -> slowest and fastest tempo, minor (None: either), melody, chords, bass, drums.
_Genre = tuple[str, int, int, bool | None, str, str, str, str]
_GENRES: tuple[_Genre, ...] = (
    ("metal|金属", 140, 170, True, "fuzz", "fuzz", "bass", "hard"),
    ("punk|朋克", 150, 180, False, "fuzz", "fuzz", "bass", "hard"),
    ("rock|grunge|摇滚", 110, 140, None, "fuzz", "guitar", "bass", "rock"),
    ("hip[ -]?hop|rap|trap|说唱|嘻哈", 80, 98, True, "bell", "synth", "sub", "hop"),
    ("techno|house|edm|electro|dance|disco|trance|电子|舞曲", 120, 132, True, "synth", "synth", "sub", "four"),
    ("synthwave|synth ?pop|retro|80s", 100, 118, True, "synth", "strings", "sub", "four"),
    ("jazz|swing|爵士", 110, 140, None, "flute", "piano", "bass", "brush"),
    ("blues|soul|蓝调", 76, 96, True, "guitar", "organ", "bass", "brush"),
    ("waltz|圆舞曲", 84, 110, False, "strings", "piano", "bass", "waltz"),
    ("classical|orchestra|symphon|epic|cinematic|古典|交响", 72, 100, None, "strings", "strings", "bass", ""),
    ("lo-?fi|chill", 70, 84, True, "piano", "organ", "sub", "hop"),
    ("ambient|meditat|drone|环境|冥想", 56, 68, None, "flute", "strings", "sub", ""),
    ("folk|country|acoustic|bluegrass|民谣|乡村", 92, 120, False, "guitar", "guitar", "bass", "brush"),
    ("reggae|latin|bossa|samba|雷鬼|拉丁", 84, 104, None, "flute", "organ", "bass", "hop"),
    ("ancient|chinese style|guzheng|古风|中国风", 70, 92, True, "guitar", "bell", "bass", ""),
    ("ballad|lullaby|抒情|摇篮", 62, 78, None, "piano", "strings", "bass", "brush"),
    ("pop|流行", 96, 124, None, "bell", "piano", "bass", "rock"),
)
_INSTRUMENTS = (
    ("piano|钢琴|keys", "piano"),
    ("guitar|吉他|ukulele|banjo", "guitar"),
    ("violin|strings|cello|小提琴|弦乐|二胡", "strings"),
    ("flute|whistle|笛|箫", "flute"),
    ("organ|accordion|管风琴", "organ"),
    ("bell|music box|glocken|钟|八音盒", "bell"),
    ("synth|合成器", "synth"),
    ("distort|fuzz|electric guitar|电吉他", "fuzz"),
)
_SAD = "sad|melanchol|dark|gloomy|minor|lonely|悲|伤|忧郁|孤独"
_GLAD = "happy|cheer|upbeat|joy|bright|major|快乐|欢|阳光"
_SLOW, _FAST = "slow|calm|gentle|soft|慢|安静", "fast|energetic|driving|quick|快节奏|激烈"
_LOW, _HIGH = r"\bmale|\bmen\b|\bman\b|baritone|男声", "female|woman|soprano|女声"
_DRUMS, _BASS = "drum|percussion|beat|鼓", "bass|贝斯"


def styled(prompt: str, tags: str = "", avoid: str = "", gender: str = "") -> Style:
    """The style that tags, and where they tell nothing the prompt, ask for; other prompts have other tempos and keys.

    `avoid`: what must not be heard; `gender`: `m` or `f`, of the voice.
    """
    told = tags if _named(tags) else f"{tags} {prompt}"
    dice = seeds.dice(prompt, tags, "style")
    genre = _named(told) or dice.choice(_GENRES)
    _, slow, fast, minor, melody, chords, bass, drums = genre
    style = Style(
        tempo=dice.randint(slow, fast),
        beats=3 if drums == "waltz" else 4,
        root=dice.randrange(12),
        minor=dice.random() < 0.5 if minor is None else minor,
        melody=melody,
        chords=chords,
        bass=bass,
        drums=drums,
        high=dice.random() < 0.5,
    )
    return _without(_asked(style, told, gender), avoid)


def _named(text: str) -> _Genre | None:
    """The genre whose word stands first in a text."""
    found = [(match.start(), genre) for genre in _GENRES if (match := re.search(genre[0], text, re.IGNORECASE))]
    return min(found, key=lambda one: one[0])[1] if found else None


def _asked(style: Style, text: str, gender: str) -> Style:
    """The style with what the words say beside a genre."""
    if _has(_SAD, text):
        style = replace(style, minor=True, tempo=style.tempo * 9 // 10)
    elif _has(_GLAD, text):
        style = replace(style, minor=False, tempo=style.tempo * 11 // 10)
    if _has(_SLOW, text):
        style = replace(style, tempo=style.tempo * 8 // 10)
    elif _has(_FAST, text):
        style = replace(style, tempo=style.tempo * 12 // 10)
    if key := _KEY.search(text):
        shift = {"": 0, "#": 1, "s": 1}.get((key[2] or "").strip().lower()[:1], -1)
        style = replace(style, root=(_ROOTS[key[1].lower()] + shift) % 12, minor=key[3].lower().startswith("min"))
    if tempo := _TEMPO.search(text):
        style = replace(style, tempo=max(40, min(220, int(tempo[1]))))
    played = [name for words, name in _INSTRUMENTS if _has(words, text)]
    if played:
        style = replace(style, melody=played[0], chords=played[-1])
    if gender in ("m", "f") or _has(_HIGH, text) or _has(_LOW, text):
        style = replace(style, high=gender == "f" if gender in ("m", "f") else _has(_HIGH, text))
    if _has(rf"(?:no|without) (?:{_DRUMS})|无鼓", text):
        style = replace(style, drums="")
    return style


def _without(style: Style, avoid: str) -> Style:
    """The style with others in place of what is not wanted."""
    unwanted = {name for words, name in _INSTRUMENTS if _has(words, avoid)}
    other = next(
        name for name in ("piano", "guitar", "strings", "flute", "organ", "bell", "synth") if name not in unwanted
    )
    return replace(
        style,
        melody=other if style.melody in unwanted else style.melody,
        chords=other if style.chords in unwanted else style.chords,
        drums="" if _has(_DRUMS, avoid) else style.drums,
        bass="" if _has(_BASS, avoid) else style.bass,
    )


def _has(words: str, text: str) -> bool:
    return re.search(words, text, re.IGNORECASE) is not None
