"""Reading what a relay of Udio answers to whoever has it make songs. A handle is `{"id": <the relay's>}`.

Songs stand in `data.songs` or `data.data.songs`; of each everything is kept but what tells of the account that made it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from unigate.base.errors import BadAnswer
from unigate.dialects import relay_tasks as relay
from unigate.dialects.relay_tasks import Fields
from unigate.dialects.udio_read import SONG
from unigate.spec.task import Accepted, Answered, Failure, Json, Made, Order, Output, Progress

#: Members of a song that tell of the account.
_ACCOUNT = frozenset({"user_id", "artist", "artist_image"})
_FILES: tuple[tuple[str, Literal["audio", "image", "video"]], ...] = (
    ("song_path", "audio"),
    ("image_path", "image"),
    ("video_path", "video"),
)
_WORDS: Mapping[str, str] = {"COMPLETED": "SUCCESS", "PENDING": "SUBMITTED", "PROCESSING": "IN_PROGRESS"}
#: Percent of a task that has begun and of which no song is finished.
_BEGUN = 10


def accepted(order: Order, answered: Answered) -> Accepted:  # noqa: ARG001 - as every provider's
    """What the answer to a submission says; UpstreamRefused for a refusal that came as 2xx, BadAnswer."""
    told = relay.answered(answered.body)
    data = told.get("data")
    inner = data if isinstance(data, dict) else {}
    named = {**told, "id": told.get("id") or told.get("generation_id") or inner.get("generation_id")}
    return Accepted(handle={"id": relay.submitted_id(named)})


def progress(handle: Json, answered: Answered) -> Progress:  # noqa: ARG001 - as every provider's
    """Where a task stands; BadAnswer."""
    told = relay.answered(answered.body).get("data")
    if not isinstance(told, dict):
        raise BadAnswer(detail="the answer is no task")
    return progress_of(told)


def progress_of(told: Fields) -> Progress:
    """What a task says of itself."""
    songs = _songs(told)
    word = str(told.get("status") or "").upper()
    word = _WORDS.get(word, word)
    state = relay.STATES.get(word, "running")
    good = [song for song in songs if not is_bad(song)]
    detail = {"status": word, "songs": songs}
    if state == "failed" or (state == "succeeded" and not good):
        why = next((str(song.get("error_detail") or song.get("error_type")) for song in songs if is_bad(song)), "")
        if state == "succeeded":
            return Progress(
                state="failed", error=Failure(code="task_failed", message=why or "There are no songs."), detail=detail
            )
        return relay.failed(told, why or "The song could not be made.", detail)
    finished = sum(bool(song.get("finished")) for song in songs)
    share = 100 * finished // len(songs) if songs else 0
    percent = relay.percent(told.get("progress"))
    return Progress(
        state=state,
        percent=max(percent or 0, share, _BEGUN) if state == "running" else percent,
        detail=detail,
        outputs=_outputs(good) if state == "succeeded" else (),
        makes=[Made(kind=SONG, id=str(song["id"])) for song in songs],
    )


def is_bad(song: Fields) -> bool:
    """Whether a song could not be made."""
    return any(song.get(name) for name in ("error_type", "error_code", "error_detail"))


def _songs(told: Fields) -> list[dict[str, Any]]:
    data = told.get("data")
    found = told.get("songs") or (data.get("songs") if isinstance(data, dict) else data)
    songs = (one for one in found if isinstance(one, dict)) if isinstance(found, list) else ()
    return [
        {name: value for name, value in one.items() if name not in _ACCOUNT}
        for one in songs
        if isinstance(one.get("id"), str) and one["id"]
    ]


def _outputs(songs: Sequence[Fields]) -> tuple[Output, ...]:
    """The files of songs, each once."""

    def each() -> Iterator[Output]:
        for song in songs:
            for name, kind in _FILES:
                url = song.get(name)
                if isinstance(url, str) and url.startswith(("http://", "https://")):
                    yield Output(url=url, kind=kind)

    return tuple({one.url: one for one in each()}.values())
