"""Songs cut, joined, divided and played anew; files of others heard."""

import math
from itertools import pairwise

import pytest

from support.sounds import silence
from unigate.sandbox.brain.lyrics import written
from unigate.sandbox.media import music_ear as ear
from unigate.sandbox.media import music_edit as edit
from unigate.sandbox.media import music_notes, voice, waves
from unigate.sandbox.media.music import Song, compose
from unigate.sandbox.media.music_cover import cover
from unigate.sandbox.media.voice import RATE
from unigate.sandbox.media.waves import Samples

LYRICS = "[Verse]\nOver the hill and down again\n[Chorus]\nHome we go, home we go"
#: An uploaded tune: keys, half a second each.
KEYS = (60, 64, 67, 72, 71, 67, 62, 60)


@pytest.fixture(scope="module")
def song() -> Song:
    return compose("the way home", "folk", LYRICS, seed=4)


@pytest.fixture(scope="module")
def tune() -> bytes:
    """A file of somebody else's."""
    made = waves.silence(0)
    for key in KEYS:
        made += music_notes.played("flute", key, RATE // 2, 12_000)
    return voice.encode(waves.packed(made), "mp3", "")


def strength(samples: Samples, key: int) -> float:
    """How much of a key's own frequency is in a sound."""
    turn = math.tau * music_notes.hertz(key) / RATE
    parts = [(math.cos(turn * at) * value, math.sin(turn * at) * value) for at, value in enumerate(samples)]
    return math.hypot(sum(one for one, _ in parts), sum(other for _, other in parts))


def test_going_on_from_a_moment_is_longer_and_keeps_what_was_before(song: Song) -> None:
    more = compose("the way home", "folk", "[Verse]\nAnd on and on we walk", seed=5, like=song.style)
    whole = edit.joined([edit.cut(song, 0, 6.5), more])
    assert whole.seconds == pytest.approx(6.5 + more.seconds, abs=0.0001)
    assert whole.samples()[: 6 * RATE] != more.samples()[: 6 * RATE]
    assert whole.samples()[RATE : 6 * RATE] == song.samples()[RATE : 6 * RATE]
    assert list(whole.samples()) == [sum(values) for values in zip(*whole.stems.values(), strict=True)]
    assert min(waves.levels(whole.samples())) > 0.02
    later = [one for one in whole.words if one.start >= 6.5]
    assert [one.word for one in later] == ["And", "on", "and", "on", "we", "walk"]
    assert waves.level(whole.stems["vocals"][round(later[0].start * RATE) : round(later[-1].end * RATE)]) > 0.03
    assert more.style == song.style and "on and on" in whole.lyrics and "hill" in whole.lyrics


def test_songs_that_fade_into_each_other(song: Song) -> None:
    whole = edit.joined([song, song], fade=0.5)
    assert whole.seconds == pytest.approx(2 * song.seconds - 0.5, abs=0.001)
    assert edit.joined([song]).samples() == song.samples()
    assert edit.joined([song, song]).seconds == pytest.approx(2 * song.seconds, abs=0.0001)


def test_a_stretch_is_replaced_and_nothing_else(song: Song) -> None:
    part = compose("storm", "metal", "[Verse]\nThunder", seconds=2.5, seed=9)
    made = edit.replaced(song, 3, part)
    assert made.size == song.size
    before, after = round(3 * RATE), round(5.5 * RATE)
    assert made.samples()[:before] == song.samples()[:before]
    assert made.samples()[after:] == song.samples()[after:]
    assert made.samples()[before:after] != song.samples()[before:after]
    middle = slice(before + RATE // 2, after - RATE // 2)
    assert made.samples()[middle] == part.samples()[middle.start - before : middle.stop - before]
    assert "Thunder" in [one.word for one in made.words]
    assert [one.start for one in made.words] == sorted(one.start for one in made.words)
    assert edit.replaced(song, 0, part).size == song.size
    for start in (-1, song.seconds - 2):
        with pytest.raises(ValueError, match="lie outside"):
            edit.replaced(song, start, part)


@pytest.mark.parametrize(("start", "end"), [(-1, 3), (3, 3), (0, 1000), (1000, None)])
def test_cuts_outside_are_refused(song: Song, start: float, end: float | None) -> None:
    with pytest.raises(ValueError, match="lie outside"):
        edit.cut(song, start, end)


def test_a_song_and_a_foreign_sound_are_divided_in_two_that_sum_to_them(song: Song, tune: bytes) -> None:
    parts = edit.divided(song)
    assert list(parts) == ["vocals", "instrumental"]
    assert parts["vocals"].samples() == song.stems["vocals"]
    assert parts["vocals"].words == song.words and parts["instrumental"].words == ()
    for whole, pair in ((song, parts), (foreign := edit.uploaded(ear.decoded(tune)), edit.divided(foreign))):
        vocals, instrumental = (one.samples() for one in pair.values())
        assert vocals != instrumental and waves.level(vocals) > 0.01 < waves.level(instrumental)
        assert [sum(pair) for pair in zip(vocals, instrumental, strict=True)] == list(whole.samples())
    mixed = edit.joined([edit.uploaded(ear.decoded(tune)), song])
    assert {one.size for one in edit.divided(mixed).values()} == {mixed.size}


def test_a_foreign_melody_is_heard(tune: bytes) -> None:
    sound = ear.decoded(tune)
    assert len(sound) / RATE == pytest.approx(4, abs=0.08)
    heard = [one.key for one in ear.contour(sound) if one.key is not None and one.length > RATE // 4]
    assert heard == list(KEYS)
    tones = ear.contour(sound)
    assert sum(one.length for one in tones) == len(sound)
    assert {one.key for one in ear.contour(waves.silence(RATE))} == {None}


def test_a_cover_of_a_foreign_sound_keeps_length_and_melody(tune: bytes) -> None:
    source = edit.uploaded(ear.decoded(tune))
    made = cover(source, "the same in the open", "flute, techno")
    assert made.size == source.size and "vocals" not in made.stems
    assert made.samples() != source.samples()
    span = RATE // 8
    heard = []
    for number in range(len(KEYS)):
        middle = (2 * number + 1) * RATE // 4
        piece = made.stems["melody"][middle - span // 2 : middle + span // 2]
        heard.append(max(range(42, 80), key=lambda key, piece=piece: strength(piece, key)))  # type: ignore[misc]
    assert [key - heard[0] for key in heard] == [key - KEYS[0] for key in KEYS]
    assert (heard[0] - KEYS[0]) % 12 == 0


def test_a_cover_sings_other_words_in_other_sounds(song: Song, tune: bytes) -> None:
    for source in (song, edit.uploaded(ear.decoded(tune))):
        made = cover(source, "", "synthwave", "[Verse]\nHello again my dear old friend, hello")
        assert made.size == source.size
        assert [one.word for one in made.words] == ["Hello", "again", "my", "dear", "old", "friend,", "hello"]
        for one in made.words:
            assert waves.level(made.stems["vocals"][round(one.start * RATE) : round(one.end * RATE)]) > 0.01
    made = cover(song, "", "synthwave", instrumental=True, lyrics=LYRICS)
    assert made.words == () and made.style is not None and song.style is not None
    assert (made.style.root, made.style.tempo) == (song.style.root, song.style.tempo)
    assert len({(note.key - old.key) for note, old in zip(made.notes, song.notes, strict=True)}) == 1
    assert cover(edit.uploaded(waves.silence(RATE)), "", "rock").size == RATE, "of silence too"


@pytest.mark.parametrize("data", [b"", b"no sound" * 50, silence(1)[:44]])
def test_what_is_no_sound_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        ear.decoded(data)


def test_what_is_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="longer than 3 s"):
        ear.decoded(silence(4), 3)
    assert len(ear.decoded(silence(4), 4)) == 4 * RATE


@pytest.mark.parametrize(
    ("prompt", "named"),
    [("a happy rock song about cats and the moon", "cats"), ("写一首关于春天和大海的歌", "春天"), ("", "moonlight")],
)
def test_lyrics_follow_the_prompt(prompt: str, named: str) -> None:
    made = written(prompt, 1)
    assert made == written(prompt, 1) and made.text != written(f"{prompt} x y z", 2).text
    assert named in made.text and named in made.title.lower()
    assert made.text.count("[Chorus]") == 2 and made.text.startswith("[Verse]")
    assert "{" not in made.text and 0 < len(made.title) <= 80
    assert ("rock" in made.tags) == ("rock" in prompt)
    assert made.text.isascii() == prompt.isascii()


def test_lyrics_of_neighbouring_seeds_differ() -> None:
    texts = [written("a lighthouse", seed).text for seed in range(60)]
    assert all(one != other for one, other in pairwise(texts)) and len(set(texts)) == 12
