"""What is made of clips that are there: single tracks, and the full song of one that goes on from another. It composes nothing."""

from collections.abc import Callable
from dataclasses import dataclass, field

from unigate.sandbox.forms import suno_inputs as inputs
from unigate.sandbox.forms.suno_clips import Clip
from unigate.sandbox.media import music_edit as edit
from unigate.sandbox.media.music import LONGEST, Song
from unigate.sandbox.serving.answer import Object
from unigate.sandbox.serving.face import Call

#: The tracks that every clip can be divided into.
HALVES = ("vocals", "instrumental")


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """One of the clips that a call shall make, without its id."""

    make: Callable[[], Song]
    title: str
    tags: str
    lyrics: str
    model: str
    idea: str | None = None
    kind: str = "gen"
    #: How long it will be, where that is known beforehand.
    seconds: float = 0.0
    more: Object = field(default_factory=dict)

    def clip(self, id: str) -> Clip:
        """The clip under an id."""
        return Clip(
            id=id,
            make=self.make,
            title=self.title,
            tags=self.tags,
            lyrics=self.lyrics,
            model=self.model,
            idea=self.idea,
            kind=self.kind,
            more=self.more,
        )


def stems(source: Clip, wish: str, title: str) -> list[Take]:
    """The tracks of a clip: two, or all where `twelve` are wished for."""
    names = source.stems if wish.lower() == "twelve" and len(source.stems) > len(HALVES) else HALVES
    return [stem(source, name, title) for name in names]


def stem(source: Clip, part: str, title: str) -> Take:
    """One track of a clip as a clip."""

    def make() -> Song:
        """The track alone."""
        song = source.make()
        return edit.divided(song)[part] if part in HALVES else edit.alone(song, part)

    return Take(
        make=make,
        title=f"{title} ({part.title()})",
        tags=source.tags,
        lyrics=source.lyrics if part == "vocals" else "",
        model="chirp-stem",
        kind="gen_stem",
        more={"stem_from_id": source.id, "stem_task": part},
    )


async def whole(call: Call, clip: Clip, *, infill: bool) -> Take:
    """The full song of a clip that goes on from another, which may go on from a third, or that replaces a stretch.

    Refused where the clip does neither, or the song would be too long.
    """
    if not clip.more.get("history"):
        raise inputs.invalid("the clip does not go on from another")
    step = clip.more["history"][0]
    if infill is not step["infill"]:
        raise inputs.invalid("is_infill does not fit the clip")
    source = await inputs.clip_of(call, step["id"])
    goes_on = bool(source.more.get("history")) and not source.more["history"][0]["infill"]
    before = await whole(call, source, infill=False) if goes_on and not infill else None
    former = source.make if before is None else before.make
    # The moment counts in the source alone, which is the end of all that was before.
    earlier = 0.0 if before is None else before.seconds - source.seconds
    at = source.seconds if infill else earlier + min(step["continue_at"], source.seconds)
    length = at if infill else at + clip.seconds
    if length > LONGEST:
        raise inputs.invalid(f"the song would be longer than {LONGEST:g} s")

    def make() -> Song:
        """Both in one."""
        if infill:
            return edit.replaced(former(), step["infill_start_s"], clip.make())
        return edit.joined([edit.cut(former(), 0, at), clip.make()])

    lyrics = source.lyrics if before is None else before.lyrics
    steps = [{"id": source.id, "continue_at": step.get("continue_at")}]
    return Take(
        make=make,
        seconds=length,
        title=clip.title or source.title,
        tags=clip.tags or source.tags,
        lyrics=clip.lyrics if infill else "\n\n".join(filter(None, (lyrics, clip.lyrics))),
        model=clip.model,
        kind="concat",
        more={"concat_history": [*(before.more["concat_history"] if before else ()), *steps], "infill": infill},
    )
