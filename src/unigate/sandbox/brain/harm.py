"""How harmful a text is, by the words in it: a score for each of the categories that OpenAI knows.

Scores follow the words and nothing else, so that a caller can make each category rise. They are not meant to protect anyone.
"""

import re
from collections.abc import Mapping

from unigate.sandbox.brain import seeds

#: In the vendor's order.
CATEGORIES = (
    "harassment",
    "harassment/threatening",
    "sexual",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm/intent",
    "self-harm/instructions",
    "self-harm",
    "sexual/minors",
    "violence",
    "violence/graphic",
)
#: Those that a picture can be judged by.
SEEN = frozenset({"self-harm", "self-harm/intent", "self-harm/instructions", "sexual", "violence", "violence/graphic"})
#: From this score on a category is said to apply.
APPLIES = 0.5

#: How much each sign in a text speaks for a sort of harm.
_SIGNS: tuple[tuple[str, float, re.Pattern[str]], ...] = tuple(
    (sort, weight, re.compile(pattern, re.IGNORECASE))
    for sort, weight, pattern in (
        (
            "violence",
            0.85,
            r"\b(?:kill|murder|stab|shoot|strangle|behead|massacre|slaughter)(?:s|ed|ing)?\b|杀|谋杀|砍死|捅",
        ),
        (
            "violence",
            0.6,
            r"\b(?:attack|beat|punch|hit|hurt|fight|violence|violent|weapon|gun|knife)(?:s|ing)?\b|打死|殴打|暴力",
        ),
        ("graphic", 0.85, r"\b(?:blood|bloody|gore|guts|corpse|severed|mutilat\w+|dismember\w+)\b|血腥|肢解|尸体"),
        (
            "insult",
            0.85,
            r"\b(?:idiot|stupid|moron|loser|dumb|ugly|worthless|pathetic|shut up)\b|白痴|蠢货|废物|笨蛋|闭嘴",
        ),
        (
            "threat",
            0.85,
            r"\bi(?:'ll| will| am going to|'m going to| want to) (?:kill|hurt|hit|beat|find|get|destroy)\b|我要(?:杀|打|弄死)",
        ),
        ("hate", 0.85, r"\b(?:i hate|hate (?:all|those|these)|subhuman|inferior race|vermin)\b|劣等(?:民族|人种)|仇恨"),
        ("sexual", 0.85, r"\b(?:sex|sexual|porn\w*|nude|naked|erotic|orgasm)\b|色情|裸体|性爱|做爱"),
        ("minor", 0.9, r"\b(?:child|children|minor|underage|teen(?:ager)?|schoolgirl|schoolboy)\b|未成年|儿童|小孩"),
        (
            "self",
            0.9,
            r"\b(?:suicid\w+|self[- ]harm|kill myself|cut myself|end my life|hurt myself|overdose)\b|自杀|自残|轻生",
        ),
        (
            "intent",
            0.9,
            r"\b(?:i want to|i will|i'm going to|i am going to|i plan to) (?:die|kill myself|end my life|cut myself|hurt myself)\b|我(?:想|要)(?:死|自杀|自残)",
        ),
        ("how", 0.8, r"\b(?:how (?:to|do i|can i)|instructions|step[- ]by[- ]step|guide|recipe)\b|怎么|如何|教程|步骤"),
        (
            "crime",
            0.85,
            r"\b(?:shoplift|steal|hack|forge|counterfeit|launder|smuggle|meth|cocaine|heroin|drugs|fraud|malware)(?:s|ing)?\b|偷窃|盗窃|毒品|洗钱|诈骗|黑客",
        ),
        ("arms", 0.9, r"\b(?:bomb|explosive|grenade|ammunition|pipe bomb|silencer)s?\b|炸弹|炸药|爆炸物"),
    )
)


def scores(text: str) -> dict[str, float]:
    """The score of each category, from 0 to 1."""
    said: dict[str, float] = {}
    for sort, weight, pattern in _SIGNS:
        for _ in pattern.findall(text)[:4]:
            said[sort] = 1 - (1 - said.get(sort, 0.0)) * (1 - weight)
    found = _categories(said)
    dice = seeds.dice(text, "harm")
    # No judge is ever wholly sure.
    return {name: round(min(0.0001 * dice.random() + 0.9995 * found.get(name, 0.0), 1), 9) for name in CATEGORIES}


def _categories(said: Mapping[str, float]) -> dict[str, float]:
    """Sorts of harm as categories; some are two sorts together."""
    get = said.get
    threat, hate, harm = get("threat", 0.0), get("hate", 0.0), get("violence", 0.0)
    own, how, sexual = get("self", 0.0), get("how", 0.0), get("sexual", 0.0)
    wrong = max(get("crime", 0.0), get("arms", 0.0))
    return {
        "harassment": max(get("insult", 0.0), threat, hate * 0.6),
        "harassment/threatening": max(threat, get("insult", 0.0) * harm),
        "sexual": sexual,
        "hate": hate,
        "hate/threatening": hate * max(threat, harm),
        "illicit": wrong * max(how, 0.3),
        "illicit/violent": max(get("arms", 0.0) * max(how, 0.3), wrong * how * harm),
        "self-harm/intent": max(get("intent", 0.0), own * 0.3),
        "self-harm/instructions": own * how,
        "self-harm": max(own, get("intent", 0.0)),
        "sexual/minors": sexual * get("minor", 0.0),
        "violence": max(harm, threat, get("graphic", 0.0) * 0.7),
        "violence/graphic": max(get("graphic", 0.0) * max(harm, 0.6), harm * 0.1),
    }
