"""Models that a face offers, as data."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

#: Pictures are made to fit into a square of this side, then so small that the shorter side has that length.
_LONGEST = 2048
_SHORTEST = 768
_PACED = re.compile(r"-(\d{1,6})tps$")
_TUNED = re.compile(r"ft:([^:]+):")
_DATED = re.compile(r"-\d{4}-\d{2}-\d{2}$|-\d{4}$")


#: What a model is for: chats, continuing a text, vectors, judging harm, putting documents in order, talking, speaking,
#: hearing, pictures.
Kind = Literal["chat", "text", "vectors", "harm", "rank", "realtime", "speech", "hearing", "images"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model: what it can do, what it refuses, how it counts."""

    name: str
    kind: Kind = "chat"
    #: The dated name that answers carry; empty: the name itself.
    snapshot: str = ""
    owner: str = "openai"
    created: int = 1_700_000_000
    context: int = 128_000
    output: int = 16_384
    #: Thinks before it answers, and refuses what such models refuse.
    reasoning: bool = False
    #: Takes messages of the role `system`.
    system: bool = True
    sees: bool = True
    hears: bool = False
    searches: bool = False
    #: Tokens of a picture: by tiles of 512 pixels (base, each) ...
    tiles: tuple[int, int] = (85, 170)
    #: ... or, where this is set, by patches of 32 pixels times so many hundredths.
    patches: int = 0
    #: Length of its vectors, and whether callers may ask for shorter ones.
    dimensions: int = 0
    shortens: bool = False
    #: Writes what stands between a text and its suffix.
    infills: bool = False
    #: Tokens per second that the name asks for.
    pace: float | None = None


class Models:
    """The models of one face."""

    def __init__(self, rows: Iterable[Model], *, others: Iterable[tuple[str, str]] = ()) -> None:
        self._rows = {row.name: row for row in rows}
        #: Patterns of further names, each with the model that it behaves like.
        self._others = [(re.compile(pattern), self._rows[like]) for pattern, like in others]

    def listed(self) -> list[Model]:
        """All models, as a list of models shows them."""
        return list(self._rows.values())

    def find(self, name: str) -> Model | None:
        """The model of that name, None where there is none.

        Besides the listed ones: dated names, fine-tuned ones (`ft:gpt-4o-mini:...`), names that end in `-<N>tps`
        (tokens per second), and every `sandbox-...` (with `reason` in it: a reasoning model).
        """
        if found := _PACED.search(name):
            model = self.find(name[: found.start()])
            return model and replace(model, name=name, snapshot=name, pace=float(found[1]))
        if name in self._rows:
            return self._rows[name]
        tuned = _TUNED.match(name)
        base = _DATED.sub("", tuned[1] if tuned else name)
        if base in self._rows:
            return replace(self._rows[base], name=name, snapshot=name)
        for pattern, like in self._others:
            if pattern.fullmatch(base):
                return replace(like, name=name, snapshot=name)
        if name.startswith("sandbox-"):
            return Model(name=name, owner="sandbox", reasoning="reason" in name, hears="audio" in name)
        return None


def picture_tokens(model: Model, width: int | None, height: int | None, detail: str) -> int:
    """Tokens of a picture; one of unknown size counts as 1024 x 1024.

    https://platform.openai.com/docs/guides/images-vision (calculating costs)
    """
    wide, high = width or 1024, height or 1024
    if model.patches:
        return min(1536, -(-wide // 32) * -(-high // 32)) * model.patches // 100
    base, each = model.tiles
    if detail == "low":
        return base
    longest = max(wide, high)
    if longest > _LONGEST:
        wide, high = max(1, wide * _LONGEST // longest), max(1, high * _LONGEST // longest)
    shortest = min(wide, high)
    if shortest > _SHORTEST:
        wide, high = wide * _SHORTEST // shortest, high * _SHORTEST // shortest
    return base + each * (-(-wide // 512) * -(-high // 512))
