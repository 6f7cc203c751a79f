"""Writes songs in words: a title, styles, and lyrics in verses and a chorus about what a prompt names, English or Chinese."""

import re
from dataclasses import dataclass
from itertools import permutations

from unigate.sandbox.brain import seeds
from unigate.sandbox.brain.hints import unmarked, words

_CJK = re.compile(r"[\u3400-\u9fff]+")
_SAID = frozenset("song songs music lyrics track tune melody sing style mode".split())  # noqa: SIM905
_CHINESE_SAID = re.compile(r"一首|关于|写|歌曲|歌词|音乐|的|歌|请|首|我|想|要|来|给|和|与")
#: Styles that a prompt may name itself.
_NAMED = re.compile(
    r"\b(?:rock|punk|metal|pop|jazz|blues|soul|folk|country|rap|hip[ -]?hop|techno|house|electronic|dance|disco|reggae|latin|"
    r"classical|ambient|lo-?fi|waltz|ballad|lullaby|acoustic|piano|guitar|violin|flute|happy|upbeat|sad|dark|slow|fast|"
    r"energetic|calm)\b|摇滚|流行|爵士|民谣|电子|古风|说唱|抒情|钢琴|吉他|快乐|悲伤|安静",
    re.IGNORECASE,
)
_STYLES = (
    ("indie pop, warm, bright", "acoustic folk, gentle guitar", "lo-fi, mellow piano", "electronic dance, upbeat"),
    ("流行, 温暖", "民谣, 吉他", "电子, 快乐", "古风, 抒情"),
)
_VERSES = (
    "I saw {one} in the morning light",
    "And {two} was shining all through the night",
    "I wrote a letter to {one} today",
    "The wind took it gently and carried it away",
    "We walked by the river, {two} and me",
    "As far as the harbour, as far as the sea",
    "The windows are open, the kettle is on",
    "And all that I know of is {one} till the dawn",
)
_CHORUS = (
    "Oh {one}, oh {one}, stay with me",
    "Sing it to the hills and sing it to the sea",
    "Oh {two}, don't you go",
    "You are all the song I know",
)
_BRIDGE = ("And when the lights are turning low", "It's {one} and {two} that let me know")
_CHINESE_VERSES = (
    "清晨的光里我看见{one}",
    "夜色中{two}还在闪烁",
    "我写一封信寄给{one}",
    "风轻轻带它飞过山河",
    "我们沿着河岸慢慢走",
    "{two}在身后唱着歌",
    "窗外的月亮圆了又缺",
    "心里的{one}从未离开过",
)
_CHINESE_CHORUS = ("{one}啊{one}请你留下来", "把歌声唱给山唱给海", "{two}啊不要走远", "你就是我全部的期待")
_CHINESE_BRIDGE = ("当灯火一盏一盏熄灭", "{one}和{two}陪我到天明")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lyrics:
    """A song in words."""

    title: str
    #: Styles, comma separated.
    tags: str
    #: Sections with headings in square brackets.
    text: str


def written(prompt: str, seed: int) -> Lyrics:
    """Lyrics for a prompt; the same for the same arguments, and others for the next seed."""
    prompt = unmarked(prompt)
    chinese = _CJK.search(prompt) is not None
    theme = _NAMED.sub(" ", prompt)
    found = _chinese(theme) if chinese else [word.lower() for word in words(theme) if word.lower() not in _SAID]
    one, two, *_ = dict.fromkeys((*found, *(("月光", "河流") if chinese else ("moonlight", "river"))))
    verses, chorus, bridge = (
        (_CHINESE_VERSES, _CHINESE_CHORUS, _CHINESE_BRIDGE) if chinese else (_VERSES, _CHORUS, _BRIDGE)
    )
    chosen = list(permutations([verses[at : at + 2] for at in range(0, len(verses), 2)], 2))
    seeds.dice(prompt, "verses").shuffle(chosen)
    first, second = chosen[seed % len(chosen)]
    parts = (
        ("Verse", first),
        ("Chorus", chorus),
        ("Verse 2", second),
        ("Chorus", chorus),
        ("Bridge", bridge),
    )
    text = "\n\n".join("\n".join((f"[{name}]", *lines)) for name, lines in parts)
    named = list(dict.fromkeys(style.lower() for style in _NAMED.findall(prompt)))
    return Lyrics(
        title=(f"{one}与{two}" if chinese else f"{one} and {two}".title())[:80],
        tags=", ".join(named) or seeds.dice(prompt, seed, "styles").choice(_STYLES[chinese]),
        text=text.format(one=one, two=two),
    )


def _chinese(prompt: str) -> list[str]:
    """Telling pieces of a Chinese prompt."""
    return [piece[:4] for run in _CJK.findall(prompt) for piece in _CHINESE_SAID.split(run) if piece]
