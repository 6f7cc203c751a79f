"""Takes lyrics apart: sections, lines, words, and the syllables that are sung, each with its vowel. It knows no music."""

import re
from dataclasses import dataclass, replace

from unigate.sandbox.brain import seeds
from unigate.sandbox.media.voice import words

#: `[Chorus]`, `[Verse 2: softly]`, and the same in full-width signs.
_HEADING = re.compile(r"^\s*[\[【]\s*([^\]】]{1,80}?)\s*[\]】]\s*$")
#: Patterns of headings, and the kind of section that each stands for.
_KINDS = (
    ("pre-?chorus|导歌", "rise"),
    ("chorus|hook|refrain|副歌", "chorus"),
    ("verse|主歌", "verse"),
    ("bridge|桥", "bridge"),
    ("intro|前奏", "intro"),
    ("outro|end|尾|结束", "outro"),
    ("solo|break|instrumental|interlude|drop|间奏", "solo"),
)
_SYLLABLE = re.compile(r"[^aeiouy]*[aeiouy]+(?:[^aeiouy]+$)?", re.IGNORECASE)
_SILENT = re.compile(r"(?<=[^aeiouyl])e(?=[^a-z]*$)", re.IGNORECASE)
_VOWEL = re.compile(r"[aeiouy]", re.IGNORECASE)
_HISS = re.compile(r"^[^a-z]*(?:s|c|t|k|f|ch|sh|x|z|p|h)", re.IGNORECASE)
#: The most syllables of a word, and the most letters that are looked at.
_MOST, _LETTERS = 6, 40


@dataclass(frozen=True, slots=True)
class Syllable:
    """What is sung on one note."""

    #: One of `aeiou`.
    vowel: str
    #: Whether it begins with a sound like s or t.
    hiss: bool
    #: The word that begins with it, as it stands in the lyrics; empty inside a word.
    word: str = ""
    #: The heading of the section that begins with it; empty elsewhere.
    heading: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of a song. Two with the same kind and lines sound the same."""

    kind: str
    lines: tuple[tuple[Syllable, ...], ...] = ()


def sections(lyrics: str) -> list[Section]:
    """The sections of lyrics; those without a heading are verses."""
    found: list[tuple[str, list[str]]] = []
    for line in lyrics.splitlines():
        if heading := _HEADING.match(line):
            found.append((heading[1], []))
        elif line.strip():
            if not found:
                found.append(("", []))
            found[-1][1].append(line)
    return [Section(kind=_kind(name, lines), lines=_sung(lines, name)) for name, lines in found]


def _kind(name: str, lines: list[str]) -> str:
    kind = next((kind for pattern, kind in _KINDS if re.search(pattern, name, re.IGNORECASE)), "verse")
    return kind if lines or kind != "verse" else "solo"


def _sung(lines: list[str], heading: str) -> tuple[tuple[Syllable, ...], ...]:
    """Lines as syllables; those that are nothing but signs are left out."""
    made = [
        tuple(syllable for word in words(line) if re.search(r"\w", word) for syllable in _cut(word)) for line in lines
    ]
    found = [line for line in made if line]
    if found:
        found[0] = (replace(found[0][0], heading=heading), *found[0][1:])
    return tuple(found)


def _cut(word: str) -> list[Syllable]:
    """The syllables of a word: one for each group of vowels; of scripts without Latin vowels, one for each word."""
    parts = _SYLLABLE.findall(_SILENT.sub("", word[:_LETTERS]))[:_MOST] or [word]
    return [
        Syllable(_vowel(part, seeds.seed(word)), _HISS.match(part) is not None, word if number == 0 else "")
        for number, part in enumerate(parts)
    ]


def _vowel(part: str, number: int) -> str:
    found = _VOWEL.search(part)
    return "aeiou"[number % 5] if found is None else found[0].lower().replace("y", "i")
