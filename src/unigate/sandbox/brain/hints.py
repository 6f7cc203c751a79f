"""What a prompt names: quoted words, proper names, numbers. Makes generated values fit what was asked."""

# ruff: noqa: RUF001 - Chinese punctuation is meant

import re
from collections.abc import Sequence
from typing import Any

from unigate.sandbox.brain.seeds import Dice

_MARKERS = re.compile(r"\[\[[a-z]+(?::[^\]]*)?\]\]")
_QUOTED = re.compile(r"[\"“「『`]([^\"“”「」『』`\n]{1,80})[\"”」』`]|'([^'\n]{2,80})'(?!\w)")
_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+|https?://[^\s\"'<>)]+")
_CAPITAL = r"[A-Z][A-Za-z0-9\u00c0-\u024f]+"
_NAME = re.compile(rf"(?<![\w.]){_CAPITAL}(?: {_CAPITAL})*")
#: What stands before the first word of a sentence.
_OPENING = re.compile(r"(?:^|[.!?\n])\s*$")
_NUMBER = re.compile(r"(?<![\w.])-?\d{1,12}(?![\w.]?\d)")
_WORD = re.compile(r"[A-Za-z\u00c0-\u024f]{2,}|[\u3400-\u9fff]")
_CHINESE_NAME = re.compile(
    r"(?:^|[在从到查问和与及、，,：:]|一下|请问|告诉我|查询)((?!请问|告诉|查询|一下)[\u4e00-\u9fff]{2,4}?)"
    r"(?=的|和|与|及|、|，|今天|明天|现在|天气|$)"
)
_NOT_NAMES = frozenset(
    "what who when where why how which is are was were do does did can could would should will tell give show find get "  # noqa: SIM905 - words read better as text
    "write say reply respond answer use call look check the a an and or if in on at for to please hello hi hey i my you "
    "your it this that there translate summarize explain describe list make create delete count return extract json "
    "then also not no yes compare rename replace search send run order book paint add open use read sum name".split()
)
_STOP = _NOT_NAMES | frozenset(
    "of with from by as be been has have had about into me we us our they them their he she his her its than so but "  # noqa: SIM905
    "some any all just only one two want need like know".split()
)
_ADJECTIVES = ("quiet", "bright", "useful", "simple", "gentle", "clear")
_NOUNS = ("river", "garden", "lantern", "window", "harbour", "letter")
#: Names of properties that take a text of any kind.
_FREE = frozenset(("query", "question", "text", "prompt", "message", "content", "input", "body"))
_USUAL = {
    "city": ("Paris", "London", "Beijing"),
    "location": ("Paris", "London", "Beijing"),
    "country": ("France", "China", "Japan"),
    "name": ("Ada Lin", "Sam Reed", "Mei Chen"),
    "title": ("A quiet river", "The bright window"),
    "color": ("blue", "green", "red"),
    "currency": ("USD", "EUR", "CNY"),
    "language": ("English", "Chinese"),
    "email": ("ada@example.com",),
    "url": ("https://example.com/1",),
    "date": ("2026-05-01", "2026-06-15"),
    "unit": ("celsius",),
    "path": ("example.txt",),
    "code": ("A1", "B2"),
    "id": ("1001", "1002"),
}


def unmarked(text: str) -> str:
    """A text without the sandbox's own markers."""
    return _MARKERS.sub("", text).strip() if "[[" in text else text


def words(text: str) -> list[str]:
    """The telling words of a text; of Chinese each character."""
    return [word for word in _WORD.findall(text) if word.lower() not in _STOP]


def names(text: str) -> list[str]:
    """Things that a text names, in order, without repeats."""
    found: list[tuple[int, str]] = [(m.start(), m[1] or m[2]) for m in _QUOTED.finditer(text)]
    rest = _QUOTED.sub(lambda m: " " * len(m[0]), text)
    found += [(m.start(), m[0].rstrip(".,")) for m in _ADDRESS.finditer(rest)]
    rest = _ADDRESS.sub(lambda m: " " * len(m[0]), rest)
    opening: list[str] = []
    for match in _NAME.finditer(rest):
        kept = match[0].split(" ")
        while kept and kept[0].lower() in _NOT_NAMES:
            kept = kept[1:]
        if len(kept) == 1 and kept[0] == match[0] and _OPENING.search(rest[: match.start()]):
            opening += kept
        elif kept:
            found.append((match.start(), " ".join(kept)))
    found += [(m.start(1), m[1]) for m in _CHINESE_NAME.finditer(rest)]
    # A lone word that opens a sentence has its capital from there; it counts only where nothing else is named.
    return list(dict.fromkeys(name for _, name in sorted(found))) or opening


class Hints:
    """Values for generated data, taken from a prompt as long as it has some."""

    def __init__(self, text: str, source: Dice) -> None:
        self._text = unmarked(text)
        self._names = names(self._text)
        self._numbers = [int(n) for n in _NUMBER.findall(self._text)]
        self._dice = source
        self._next = 0
        #: A text to search for or to say is the prompt itself, unless something is quoted or preferred.
        self._whole = bool(self._text) and not _QUOTED.search(self._text)

    @property
    def named(self) -> list[str]:
        """All that the prompt names."""
        return self._names

    def prefer(self, name: str) -> None:
        """Let this name come first."""
        self._names = [name, *(n for n in self._names if n != name)]
        self._next = 0
        self._whole = False

    def address(self, sign: str) -> str | None:
        """The first address in the prompt that contains a sign (`@`, `://`), None if none."""
        return next((m[0].rstrip(".,") for m in _ADDRESS.finditer(self._text) if sign in m[0]), None)

    def fitting(self, values: Sequence[Any]) -> Any:
        """The value of an enumeration that the prompt mentions, None if none."""
        text = self._text.lower()
        return next((v for v in values if isinstance(v, str) and v and v.lower() in text), None)

    def number(self, name: str) -> int | None:
        """The next number of the prompt, for a property of that name."""
        return self._numbers.pop(0) if name and self._numbers else None

    def text(self, name: str) -> str:
        """A text for a property of that name: something the prompt names, else something usual, else made up."""
        last = re.split(r"[_\-\s]|(?<=[a-z])(?=[A-Z])", name)[-1].lower() if name else ""
        if last in _FREE and self._whole:
            return self._text[:200]
        if name and self._next < len(self._names):
            self._next += 1
            return self._names[self._next - 1]
        if last in _USUAL:
            return self._dice.choice(_USUAL[last])
        return f"{self._dice.choice(_ADJECTIVES)} {self._dice.choice(_NOUNS)}"
