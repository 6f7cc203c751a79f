"""Songs of Udio as callers see them."""

from typing import Any

from support.task_cases import CaseView
from unigate.dialects import udio_view
from unigate.spec.task import ALLOTTED, Task

VIEW = CaseView()


def task(*told: str, detail: dict[str, Any] | None = None) -> Task:
    songs = [{"id": id, "title": id.upper(), "finished": True} for id in told]
    return Task(
        id="task",
        called="udio.generate",
        operation="udio.music",
        dialect="udio",
        user_id="usr",
        key_id="key",
        model="udio32-v1.5",
        state="running",
        input={ALLOTTED: ["first", "second"]},
        detail={"songs": songs, **(detail or {})},
    )


def seen(one: Task) -> dict[str, str]:
    return {song["id"]: song["title"] for song in udio_view.songs(one, VIEW)}


def test_an_id_stays_with_its_song_in_whatever_order_they_are_told() -> None:
    noted = {ALLOTTED: ["a", "b"]}
    assert seen(task("a", "b", detail=noted)) == seen(task("b", "a", detail=noted)) == {"first": "A", "second": "B"}
    assert seen(task("b", detail=noted)) == {"second": "B"}
    assert udio_view.song(task("b", "a", detail=noted), "a", VIEW)["id"] == "first", "by its relay's id"
    assert udio_view.song(task("a", detail=noted), "second", VIEW)["title"] == ""


def test_a_song_beyond_those_that_were_named_has_its_relays_id() -> None:
    assert seen(task("a", "b", "c")) == {"first": "A", "second": "B", "c": "C"}
