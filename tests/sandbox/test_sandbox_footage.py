"""Films with sound, lengthened, marked and resized; songs as films. Opened and measured."""

import io
from itertools import pairwise

import av
import pytest
from PIL import Image, ImageChops, ImageStat

from unigate.sandbox.media import draw, footage, music_ear, reel, sleeve, voice, waves
from unigate.sandbox.media.music import compose
from unigate.sandbox.media.reel import Reel
from unigate.sandbox.media.voice import RATE


@pytest.fixture(scope="module")
def taken() -> Reel:
    """A film that was made and opened again."""
    return reel.opened(footage.shot("a red kite", (320, 180), 2, seed=1).file())


def difference(one: Image.Image, other: Image.Image) -> float:
    return sum(ImageStat.Stat(ImageChops.difference(one.convert("RGB"), other.convert("RGB"))).mean)


@pytest.mark.parametrize(("size", "seconds"), [((320, 180), 1.5), ((180, 320), 2.0), ((168, 72), 0.4)])
def test_it_has_size_length_and_sound(size: tuple[int, int], seconds: float) -> None:
    data = footage.shot("a red kite", size, seconds, seed=1, fps=10).file()
    with av.open(io.BytesIO(data), "r") as file:
        picture, sound = file.streams.video[0], file.streams.audio[0]
        assert (picture.codec_context.name, sound.codec_context.name) == ("h264", "aac")
        assert (picture.width, picture.height) == size
        assert (file.duration or 0) / 1_000_000 == pytest.approx(seconds, abs=0.05)
        assert picture.frames == round(seconds * 10)
    heard = music_ear.decoded(data)
    assert len(heard) / RATE == pytest.approx(seconds, abs=0.05)
    assert min(waves.levels(heard, 0.4)[: int(seconds / 0.4)]) > 0.02


def test_it_moves_and_is_the_same_for_the_same_wish(taken: Reel) -> None:
    shown = list(taken.frames())
    assert len(shown) == taken.count == 24 and taken.size == (320, 180)
    assert all(difference(one, other) > 0.5 for one, other in pairwise(shown))
    made = footage.shot("a red kite", (64, 36), 0.5, seed=1)
    assert made.file() == footage.shot("a red kite", (64, 36), 0.5, seed=1).file()
    assert made.sound != footage.shot("a grey whale", (64, 36), 0.5, seed=1).sound


def test_it_begins_and_ends_with_the_pictures_given() -> None:
    first, last = (draw.draw(text, 200, 200, seed=seed) for text, seed in (("one", 3), ("two", 5)))
    made = reel.opened(footage.shot("a turn", (200, 200), 1, seed=1, first=first, last=last, silent=True).file())
    assert made.sound is None
    assert difference(made.picture(0), first) < 12 < difference(made.picture(0), last)
    assert difference(made.picture(-1), last) < 12 < difference(made.picture(-1), first)


def test_without_a_last_picture_it_ends_as_it_began(taken: Reel) -> None:
    assert difference(taken.picture(0), taken.picture(-1)) < difference(taken.picture(0), taken.picture(12))


def test_an_extension_is_longer_and_goes_on_where_it_ended(taken: Reel) -> None:
    more = footage.shot("it lands", (640, 360), 1.5, seed=2, fps=24, first=taken.picture(-1))
    data = footage.extended(taken, more).file()
    whole = reel.opened(data)
    assert whole.size == taken.size and whole.count == 24 + 18 and whole.seconds == pytest.approx(3.5)
    assert difference(whole.picture(5), taken.picture(5)) < 6
    shown = list(whole.frames())
    assert difference(shown[23], shown[24]) < 12, "there is no jump"
    assert difference(shown[24], shown[34]) > 3, "what was added moves"
    heard = music_ear.decoded(data)
    assert len(heard) / RATE == pytest.approx(3.5, abs=0.05)
    assert min(waves.levels(heard, 0.5)[:7]) > 0.02
    silent = footage.shot("x", (320, 180), 1, seed=2, silent=True)
    assert footage.extended(silent, silent).sound is None
    assert len(footage.extended(silent, taken).heard()) == 3 * RATE


def test_a_watermark_is_seen_and_nothing_else_changes(taken: Reel) -> None:
    marked = reel.opened(footage.watermarked(taken, "sandbox").file())
    plain = reel.opened(taken.file())
    corner, rest = (200, 0, 320, 15), (0, 40, 320, 180)
    for number in (0, 11, -1):
        one, other = marked.picture(number), plain.picture(number)
        assert difference(one.crop(corner), other.crop(corner)) > 60
        assert difference(one.crop(rest), other.crop(rest)) < 6
    assert marked.sound is not None and marked.count == taken.count


def test_a_film_in_another_size(taken: Reel) -> None:
    made = reel.opened(footage.resized(taken, (180, 240)).file())
    assert made.size == (180, 240) and made.count == taken.count
    assert made.picture(3).size == (180, 240)
    silent = reel.opened(footage.resized(footage.shot("x", (65, 33), 0.5, seed=1, silent=True), (65, 33)).file())
    assert silent.size == (64, 32), "sides are even"
    assert min(waves.levels(footage.dubbed(silent, "drums", seed=1).heard(), 0.25)) > 0.02


@pytest.mark.parametrize(("size", "seconds"), [((8, 64), 1.0), ((64, 9000), 1.0), ((64, 64), 0.0), ((64, 64), 999.0)])
def test_what_makes_no_film_is_refused(size: tuple[int, int], seconds: float) -> None:
    with pytest.raises(ValueError, match="no film"):
        footage.shot("", size, seconds, seed=1)


@pytest.mark.parametrize("data", [b"", b"no film" * 50])
def test_what_is_no_film_cannot_be_opened(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        reel.opened(data)


def test_a_sound_is_no_film() -> None:
    with pytest.raises(ValueError, match="no film in it"):
        reel.opened(voice.encode(voice.speak("hello", "alloy", 1.0), "wav", "hello"))


def test_a_song_as_a_film_of_its_cover_with_a_moving_wave() -> None:
    song = compose("a harbour", "piano", "[Verse]\nBoats come in at night", seconds=4, seed=1)
    picture = sleeve.cover("A Harbour", 256, seed=1)
    assert picture.size == (256, 256)
    assert sleeve.cover("A Harbour", 256, seed=2).tobytes() != picture.tobytes()
    data = sleeve.film(picture, song.samples())
    made = reel.opened(data)
    assert made.size == (256, 256) and made.seconds == pytest.approx(4)
    heard = music_ear.decoded(data)
    assert len(heard) / RATE == pytest.approx(4, abs=0.05)
    assert waves.level(heard) == pytest.approx(waves.level(song.samples()), rel=0.1)
    shown = list(made.frames())
    assert all(difference(one, other) > 0.5 for one, other in pairwise(shown))
    sky = (0, 0, 256, 100)
    assert difference(shown[20].crop(sky), picture.crop(sky)) < 8, "the cover is seen behind it"


def test_the_wave_is_high_where_the_sound_is_loud() -> None:
    sound = compose("a harbour", seconds=2, seed=1).samples()
    sound[: RATE // 2] = waves.silence(RATE // 2)
    heights = sleeve.waveform(sound, 8)
    assert heights[:2] == [0, 0] and min(heights[2:]) > 0.2 and max(heights) == 1
    assert sleeve.waveform(waves.silence(10), 4) == [0, 0, 0, 0]
