"""Writes answers in words, in English or Chinese, that show what was understood of the prompt."""

# ruff: noqa: RUF001 - Chinese punctuation is meant

import re
from collections.abc import Sequence

from unigate.sandbox.brain import documents, ranking, seeds, tokens
from unigate.sandbox.brain.hints import unmarked, words
from unigate.sandbox.brain.prompt import File, Picture, Prompt, Turn
from unigate.sandbox.brain.seeds import Dice

_CJK = re.compile(r"[\u3400-\u9fff]")
_LATIN = re.compile(r"[A-Za-z]+")
_IN_CHINESE = re.compile(r"in chinese|用中文|使用中文|中文回答|说中文", re.IGNORECASE)
_IN_ENGLISH = re.compile(r"in english|用英文|用英语|英文回答", re.IGNORECASE)
_ONE_WORD = re.compile(r"\b(?:one|single)[ -]word\b|一个词|一个字|一个单词", re.IGNORECASE)
_YES_NO = re.compile(r"\byes or no\b|\byes/no\b|是或否|是或者否", re.IGNORECASE)
_EXACTLY = re.compile(
    r"\b(?:say|reply|respond|answer|output|print)\b[^.\n\"“'`]{0,30}[\"“'`]([^\"”'`\n]+)[\"”'`]"
    r"|\bexactly:?[ \n]+([^\n]+)"
    r"|\b(?:say|reply|respond|answer)(?: with)?(?: only| just)(?: the word)?:? ([\w\- ]+)"
    r"|(?:回复|回答|只说|请说|输出)[^“「\"\n]{0,6}[“「\"]([^”」\"\n]+)[”」\"]",
    re.IGNORECASE,
)
_SUM = re.compile(r"(?<![\d.])(\d{1,9})(?:\s*([+*×÷])\s*|\s+([-/x])\s+)(\d{1,9})(?![\d.])")
_COUNT = re.compile(r"\bcount (?:from 1 )?(?:up )?to (\d{1,3})\b|数到\s*(\d{1,3})", re.IGNORECASE)
_GREETING = re.compile(r"^\W*(?:hi|hello|hey|good (?:morning|evening)|你好|您好|嗨)\b.{0,20}$", re.IGNORECASE)
_RECALL = re.compile(
    r"\b(?:what(?:'s| is| was| are| were) my|what did i (?:say|tell|ask)|(?:do|can) you (?:still )?(?:remember|recall))\b"
    r"|我(?:刚才|之前)(?:说|问|告诉)|还记得",
    re.IGNORECASE,
)

#: Of a document: how many sentences are looked at, and how many characters of one are repeated.
_MOST_SENTENCES = 5_000
_LONGEST_QUOTE = 300

_ENGLISH = (
    "You asked: “{ask}”. In short, {topic} is worth looking at step by step: what it is, what it needs, and what follows.",
    "Here is what I can say about “{ask}”. The heart of it is {topic}; start small, check the result, and go on from there.",
    "Good question: “{ask}”. I would begin with {topic}, then compare two or three ways and keep the simplest that works.",
)
_CHINESE = (
    "你问的是：“{ask}”。简单来说，关键在于{topic}：先弄清它是什么，再看需要什么，最后看结果如何。",
    "关于“{ask}”，重点是{topic}。建议先从小处着手，检查结果，然后一步一步往前走。",
    "好问题：“{ask}”。我会先看{topic}，再比较两三种做法，留下最简单而有效的一种。",
)
_MORE_ENGLISH = (
    "A clear plan keeps the work calm.",
    "Each step can be checked on its own.",
    "Small examples say more than long rules.",
    "What is measured can be made better.",
    "Names should say what things are.",
    "The last word belongs to the result.",
)
_MORE_CHINESE = (
    "清楚的计划让工作更从容。",
    "每一步都可以单独检查。",
    "小例子胜过长规则。",
    "能衡量的就能改进。",
    "名字应当说明事物。",
    "最后由结果说话。",
)


def chinese(prompt: Prompt) -> bool:
    """Whether the answer is to be in Chinese."""
    asked = prompt.last("user")
    text = asked.text if asked else ""
    for wish in (text, prompt.system()):
        if _IN_CHINESE.search(wish):
            return True
        if _IN_ENGLISH.search(wish):
            return False
    return len(_CJK.findall(text)) > len(_LATIN.findall(text))


def answer(prompt: Prompt, index: int) -> str:
    """What the model says to the last message of the user."""
    source = seeds.dice(prompt.seed, index, "prose")
    asked = prompt.last("user") or Turn(role="user")
    text = unmarked(asked.text)
    zh = chinese(prompt)
    wishes = f"{text}\n{unmarked(prompt.system())}"
    if found := _EXACTLY.search(text) or _EXACTLY.search(prompt.system()):
        return next(group for group in found.groups() if group).strip()
    if _YES_NO.search(wishes):
        return source.choice(("是", "否") if zh else ("Yes", "No"))
    short = _short(text, zh=zh)
    if _RECALL.search(text) and (said := _recalled(prompt, text)):
        return f"你说过：“{said}”。" if zh else f"You said: “{said}”."
    if _ONE_WORD.search(wishes):
        return short or _keyword(text, source, zh=zh)
    files = asked.files or tuple(file for turn in prompt.turns for file in turn.files if file.text)
    if short and not (asked.pictures or asked.sounds or files):
        return short
    return _seen(asked, files, text, zh=zh) + _said(text, source, zh=zh)


def _recalled(prompt: Prompt, text: str) -> str:
    """Of what the user said before, the sentence that fits best; empty where nothing was said."""
    said = [turn.text for turn in prompt.turns if turn.role == "user"]
    return fitting(text, "\n".join(unmarked(one) for one in said[:-1]))


def _short(text: str, *, zh: bool) -> str:
    """Answers that are simply right: sums, counting, greetings; empty where there is none."""
    if found := _SUM.search(text):
        return _sum(int(found[1]), found[2] or found[3], int(found[4]))
    if found := _COUNT.search(text):
        return ("、" if zh else ", ").join(map(str, range(1, int(found[1] or found[2]) + 1)))
    if _GREETING.search(text):
        return "你好！有什么可以帮你的吗？" if zh else "Hello! How can I help you today?"
    return ""


def _sum(left: int, sign: str, right: int) -> str:
    if sign == "+":
        return str(left + right)
    if sign == "-":
        return str(left - right)
    if sign in "*×x":
        return str(left * right)
    if not right:
        return "undefined"
    return str(left // right) if left % right == 0 else f"{left}/{right}"


def _keyword(text: str, source: Dice, *, zh: bool) -> str:
    """One telling word of the prompt."""
    found = words(text)
    if not found:
        return "好" if zh else "Okay"
    return "".join(found[:2]) if zh else source.choice(found).capitalize()


def _seen(asked: Turn, files: Sequence[File], text: str, *, zh: bool) -> str:
    """What is said of pictures, sounds and documents in the prompt."""
    said = [_seen_picture(picture, zh=zh) for picture in asked.pictures]
    for sound in asked.sounds:
        seconds = f"{sound.ms // 1000}.{sound.ms % 1000 // 100}"
        said.append(f"我听到一段 {seconds} 秒的声音。" if zh else f"I hear {seconds} seconds of sound. ")
    said += [_read(file, text, zh=zh) for file in files]
    return "".join(said)


def _read(file: File, text: str, *, zh: bool) -> str:
    """That a document was read, with the sentence of it that fits what was asked best."""
    found = fitting(text, file.text)
    if not found:
        return f"我读了文件 {file.name}。" if zh else f"I have read the file {file.name}. "
    return (
        f"我读了文件 {file.name}，其中写道：“{found}”。"
        if zh
        else f"I have read the file {file.name}. It says: “{found}” "
    )


def fitting(text: str, document: str) -> str:
    """The sentence of a document that fits a text best, shortened; empty where it has none."""
    listed = documents.sentences(document)[:_MOST_SENTENCES]
    if not listed:
        return ""
    best = listed[ranking.ranked(text, listed)[0][0]]
    return f"{best[:_LONGEST_QUOTE]}…" if len(best) > _LONGEST_QUOTE else best


def _seen_picture(picture: Picture, *, zh: bool) -> str:
    if picture.width is None:
        return "我看到一张链接图片。" if zh else "I see a linked picture. "
    kind, size = picture.kind.upper(), f"{picture.width}x{picture.height}"
    return f"我看到一张 {size} 像素的 {kind} 图片。" if zh else f"I see a {kind} picture of {size} pixels. "


def _said(text: str, source: Dice, *, zh: bool) -> str:
    """The usual answer: it repeats the question and names its topic."""
    ask = " ".join(text.split())
    most = 40 if zh else 120
    ask = f"{ask[:most]}…" if len(ask) > most else ask
    if not ask:
        return "请再多说一点。" if zh else "Tell me more."
    found = list(dict.fromkeys(words(ask)))
    if zh:
        topic = "".join(_CJK.findall(ask)[-4:]) or "、".join(found[:2]) or "这个问题"
        return source.choice(_CHINESE).format(ask=ask, topic=topic)
    topic = " and ".join(found[:2]) or "the question"
    return source.choice(_ENGLISH).format(ask=ask, topic=topic)


def from_tools(prompt: Prompt, results: Sequence[Turn], index: int) -> str:
    """An answer that uses what tools have said."""
    zh = chinese(prompt)
    by_id = {call.id: call.name for turn in prompt.turns for call in turn.calls}
    parts = []
    for result in results:
        name = by_id.get(result.answers, "tool")
        told = " ".join(result.text.split())[:500]
        parts.append(f"{name} 的结果是：{told}" if zh else f"{name} says: {told}")
    opening = seeds.dice(prompt.seed, index, "tools").choice(
        ("查到了。", "结果如下。") if zh else ("Here is what I found.", "I have looked it up.")
    )
    return f"{opening}{'；'.join(parts)}。" if zh else f"{opening} {'. '.join(parts)}."


def thoughts(prompt: Prompt, length: int, index: int) -> str:
    """What a reasoning model thinks before it answers, of about so many tokens."""
    asked = prompt.last("user")
    zh = chinese(prompt)
    text = " ".join(unmarked(asked.text).split())[:120] if asked else ""
    opening = f"用户问：“{text}”。先想一想。" if zh else f"The user asks: “{text}”. Let me think about it. "
    return opening + long(max(1, length - tokens.count(opening)), seeds.dice(prompt.seed, index, "thoughts"), zh=zh)


def long(length: int, source: Dice, *, zh: bool) -> str:
    """A text of exactly so many tokens."""
    sentences = _MORE_CHINESE if zh else _MORE_ENGLISH
    made: list[str] = []
    while len(made) < length:
        made += tokens.pieces((" " if made and not zh else "") + source.choice(sentences))
    return "".join(made[:length])
