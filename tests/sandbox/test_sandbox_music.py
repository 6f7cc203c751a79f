"""Songs of the sandbox, played and measured."""

import array
import io
import subprocess
import sys
import wave
from itertools import pairwise

import pytest

from support.sounds import looked
from unigate.sandbox.media import listen, music, music_ear, voice, waves
from unigate.sandbox.media.music import Song, compose
from unigate.sandbox.media.music_style import MAJOR, MINOR, styled
from unigate.sandbox.media.voice import RATE

LYRICS = """[Verse]
Walking down the quiet street
Rain is falling at my feet
[Chorus]
Oh the city never sleeps
(never sleeps)
[Verse 2]
Morning finds an open door
Nobody was here before
[Chorus]
Oh the city never sleeps
(never sleeps)
"""


@pytest.fixture(scope="module")
def song() -> Song:
    return compose("a night in town", "indie rock", LYRICS, seed=7)


@pytest.mark.parametrize("seconds", [0.5, 5.25, 12.34, 31.007])
@pytest.mark.parametrize("lyrics", ["", LYRICS])
def test_it_is_as_long_as_asked_and_heard_in_every_second(seconds: float, lyrics: str) -> None:
    made = compose("a night in town", "waltz", lyrics, seconds=seconds, seed=1)
    with wave.open(io.BytesIO(voice.encode(waves.packed(made.samples()), "wav", ""))) as file:
        assert file.getnframes() / file.getframerate() == pytest.approx(seconds, abs=0.0001)
    assert min(waves.levels(made.samples())[: max(1, int(seconds))]) > 0.02


@pytest.mark.parametrize("tags", ["ambient, slow", "piano ballad", "guitar, no drums", "metal"])
def test_without_a_length_it_is_short_and_heard_throughout(tags: str) -> None:
    made = compose("a wide field", tags, seed=3)
    assert 8 <= made.seconds <= 45
    assert min(waves.levels(made.samples())[:-1]) > 0.02
    assert "vocals" not in made.stems and made.words == ()


def test_the_same_wish_gives_the_same_song_and_others_give_others(song: Song) -> None:
    again = compose("a night in town", "indie rock", LYRICS, seed=7)
    assert again == song
    other = compose("a night in town", "indie rock", LYRICS, seed=8)
    assert other.style == song.style, "two takes of one song"
    assert [note.key for note in other.notes] != [note.key for note in song.notes]
    prompts = [compose(f"a song about {word}", seconds=2, seed=7) for word in ("rain", "fire", "dogs", "ships", "snow")]
    assert len({(one.style.tempo, one.style.root) for one in prompts if one.style}) >= 4
    assert len({waves.packed(one.samples()) for one in prompts}) == 5


def test_its_tracks_differ_and_sum_to_it_sample_by_sample(song: Song) -> None:
    assert list(song.stems) == ["vocals", "melody", "chords", "bass", "drums"]
    assert {len(track) for track in song.stems.values()} == {song.size}
    assert len({waves.packed(track) for track in song.stems.values()}) == 5
    assert all(waves.level(track) > 0.005 for track in song.stems.values())
    assert list(song.samples()) == [sum(values) for values in zip(*song.stems.values(), strict=True)]


def test_each_word_is_told_where_the_voice_is_heard(song: Song) -> None:
    lines = [line for line in LYRICS.splitlines() if not line.startswith("[")]
    assert [one.word for one in song.words] == " ".join(lines).split()
    voiced = song.stems["vocals"]
    before = 0.0
    silent = voiced[:]
    for one in song.words:
        assert before <= one.start < one.end <= song.seconds + 0.001
        before = one.end - 0.001
        first, last = round(one.start * RATE), round(one.end * RATE)
        assert waves.level(voiced[first:last]) > 0.03, one
        silent[first:last] = waves.silence(last - first)
    assert waves.level(silent) == 0, "nothing is sung beside the words"


def test_the_chorus_comes_back_and_verses_share_a_tune(song: Song) -> None:
    first, second = (number for number, one in enumerate(song.words) if one.word == "Oh")
    places = [round(song.words[at].start * RATE) for at in (first, second)]
    size = round((song.words[first + 6].end - song.words[first].start) * RATE)
    one, other = (song.stems["vocals"][at : at + size] for at in places)
    assert waves.level(one) > 0.05 and one == other
    sung = [note.key for note in song.notes if note.syllable is not None]
    assert sung[:7] != sung[14:21], "a verse is not a chorus"


def test_a_song_without_singing_keeps_its_form(song: Song) -> None:
    made = compose("a night in town", "indie rock", LYRICS, seed=7, instrumental=True)
    assert "vocals" not in made.stems and made.words == () and made.lyrics == ""
    assert made.style == song.style


def heard_tones(made: Song, stem: str) -> set[int]:
    return {one.key % 12 for one in music_ear.contour(made.stems[stem]) if one.key is not None}


@pytest.mark.parametrize(
    ("key", "root", "scale"), [("A minor", 9, MINOR), ("F# major", 6, MAJOR), ("Eb minor", 3, MINOR)]
)
def test_the_key_that_tags_name_is_heard(key: str, root: int, scale: tuple[int, ...]) -> None:
    made = compose("a night", f"strings, {key}", seconds=6, seed=2)
    allowed = {(root + tone) % 12 for tone in scale}
    assert len(heard_tones(made, "melody")) >= 3
    assert heard_tones(made, "melody") <= allowed
    assert heard_tones(made, "bass") <= allowed


@pytest.mark.parametrize("tempo", [100, 140])
def test_the_tempo_that_tags_name_is_heard(tempo: int) -> None:
    made = compose("a night", f"techno, {tempo} bpm", seconds=16, seed=2)
    steps = waves.levels(made.stems["drums"], 0.01)
    strokes = [at for at in range(1, len(steps)) if steps[at] > 0.03 > steps[at - 1]]
    gaps = sorted(later - at for at, later in pairwise(strokes))
    assert gaps[len(gaps) // 2] / 100 == pytest.approx(60 / tempo, rel=0.1)


def test_instruments_follow_the_tags() -> None:
    struck, bowed = (compose("a night", f"{name}, 60 bpm", seconds=4, seed=2) for name in ("piano", "strings"))

    def fading(made: Song) -> float:
        """How loud chords are at the end of a beat, against its beginning."""
        track = made.stems["chords"]
        return waves.level(track[RATE * 3 // 5 : RATE * 4 // 5]) / waves.level(track[RATE // 10 : RATE * 3 // 10])

    assert fading(struck) < 0.5
    assert fading(bowed) > 0.8
    assert "drums" not in compose("a night", "rock", seconds=4, seed=2, avoid="drums").stems
    assert "bass" not in compose("a night", "rock", seconds=4, seed=2, avoid="bass").stems
    high, low = (compose("a", "rock", LYRICS, seconds=20, seed=2, gender=one) for one in "fm")
    assert min(note.key for note in high.notes if note.syllable) > min(note.key for note in low.notes if note.syllable)


@pytest.mark.parametrize(
    ("tags", "minor", "drums"),
    [
        ("happy pop", False, "rock"),
        ("sad pop", True, "rock"),
        ("悲伤的民谣", True, "brush"),
        ("rock without drums", None, ""),
    ],
)
def test_moods_and_genres(tags: str, minor: bool | None, drums: str) -> None:
    style = styled("a night", tags)
    assert style.drums == drums and (minor is None or style.minor is minor)


def test_what_is_too_much_to_sing_is_sung_faster_and_headings_alone_are_played() -> None:
    made = compose("x", "rap", "one two three four five six seven\n" * 40, seconds=10, seed=1)
    assert made.seconds == 10 and len(made.words) == 280
    assert made.words[-1].end <= 10
    made = compose("x", "rock", "[Intro]\n[Guitar Solo]\n[Outro]", seed=1)
    assert "melody" in made.stems and "vocals" not in made.stems
    made = compose("x", "pop", "[副歌]\n月亮升起来\n照着我的家", seed=1)
    assert "".join(one.word for one in made.words) == "月亮升起来照着我的家"


@pytest.mark.parametrize("seconds", [0, 0.4, 481, -1])
def test_lengths_that_make_no_song_are_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="no song"):
        compose("x", seconds=seconds, seed=1)


@pytest.mark.parametrize(("kind", "codec"), [("mp3", "mp3float"), ("wav", "pcm_s16le")])
def test_its_files_hold_it_and_its_lyrics(song: Song, kind: voice.Format, codec: str) -> None:
    data = voice.encode(waves.packed(song.samples()), kind, song.lyrics)
    name, seconds, channels = looked(data)
    assert (name, channels) == (codec, 1) and seconds == pytest.approx(song.seconds, abs=0.06)
    again = music_ear.decoded(data)
    assert min(waves.levels(again)[: int(song.seconds)]) > 0.02
    assert waves.level(again) == pytest.approx(waves.level(song.samples()), rel=0.1)
    assert listen.listen(data).text == song.lyrics


def test_sums_of_loud_sounds_are_clipped_and_nothing_else() -> None:
    loud, quiet = array.array("h", [30_000, -30_000, 100, 7]), array.array("h", [9_000, -9_000, -5])
    assert list(waves.mix([loud, quiet])) == [32_767, -32_768, 95, 7]
    assert list(waves.mix([quiet, quiet, quiet])) == [27_000, -27_000, -15]
    assert list(waves.mix([])) == [] and waves.mix([quiet]) == quiet


def test_media_are_not_loaded_before_they_are_needed() -> None:
    code = (
        "import sys; from unigate.sandbox.media import footage, music, music_cover, music_edit, sleeve; "
        "music.compose('a', seconds=1, seed=1); assert not {'av', 'PIL', 'numpy'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert music.LONGEST == 480
