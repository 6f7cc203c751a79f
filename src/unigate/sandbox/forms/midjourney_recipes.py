"""What each button of Midjourney makes of a task's picture."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from unigate.sandbox.forms import midjourney_buttons as buttons
from unigate.sandbox.forms.midjourney_buttons import Button, Press
from unigate.sandbox.forms.midjourney_films import filmed
from unigate.sandbox.forms.midjourney_inputs import Asked
from unigate.sandbox.forms.midjourney_jobs import Draft
from unigate.sandbox.forms.midjourney_paint import Recipe, Size, cell
from unigate.sandbox.forms.midjourney_work import work_of
from unigate.sandbox.serving.jobs import Job

#: How much of the former picture is seen in a variation.
_KEPT = {"low": 0.75, "high": 0.35}
_OUTPAINT = {"50": 2.0, "75": 1.5}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    """What a recipe is made of."""

    value: str
    words: str
    asked: Asked
    size: Size
    mask: bytes


def _zoomed(wish: _Wish) -> Recipe:
    if wish.value == "100":
        side = max(wish.size)
        return Recipe(kind="square", prompt=wish.words, size=(side, side))
    return Recipe(kind="zoom", prompt=wish.words, size=wish.size, amount=_OUTPAINT[wish.value])


def _custom(wish: _Wish) -> Recipe:
    """By how much the prompt says, from 1 to 2."""
    try:
        amount = min(2.0, max(1.0, float(wish.asked.parameters.get("zoom", "2"))))
    except ValueError:
        amount = 2.0
    return Recipe(kind="zoom", prompt=wish.words, size=wish.size, amount=amount)


def _panned(wish: _Wish) -> Recipe:
    wide, high = wish.size
    size = (wide * 3 // 2, high) if wish.value in ("left", "right") else (wide, high * 3 // 2)
    return Recipe(kind="pan", prompt=wish.words, size=size, way=wish.value)


_RECIPES: dict[str, Callable[[_Wish], Recipe]] = {
    "upscale": lambda wish: Recipe(kind="quarter", part=int(wish.value), amount=2),
    "variation": lambda wish: Recipe(kind="vary", prompt=wish.words, size=wish.size, part=int(wish.value), amount=0.6),
    "vary": lambda wish: Recipe(kind="vary", prompt=wish.words, size=wish.size, amount=_KEPT[wish.value]),
    "enlarge": lambda wish: Recipe(kind="enlarge", amount=float(wish.value.removesuffix("x"))),
    "zoom": _zoomed,
    "custom_zoom": _custom,
    "pan": _panned,
    "inpaint": lambda wish: Recipe(kind="inpaint", prompt=wish.words, size=wish.size, mask=wish.mask),
    "animate": lambda wish: Recipe(kind="enlarge", prompt=wish.words, films=4),
    "extend": lambda wish: Recipe(kind="enlarge", prompt=wish.words, films=1, seconds=9.0),
    "video_upscale": lambda wish: Recipe(kind="enlarge", prompt=wish.words, films=1),
}


def drafted(parent: Job, press: Press, asked: Asked, custom_id: str, mask: bytes = b"") -> Draft:
    """The task that a button makes of its parent, with a prompt that may have been changed in a window."""
    former = work_of(parent)
    wide, high = former.size
    base: Job | None = parent
    if press.family == "reroll":
        assert former.recipe is not None
        recipe, base = replace(former.recipe, prompt=asked.words), former.base
    elif press.family in _RECIPES:
        size = cell(asked.ratio if press.family == "custom_zoom" and asked.ratio else wide / high)
        wish = _Wish(value=press.value, words=asked.words, asked=asked, size=size, mask=mask)
        recipe = _RECIPES[press.family](wish)
    else:
        recipe, base = Recipe(kind="imagine", prompt=asked.words, size=cell(asked.ratio or 1)), None
    if recipe.films and press.family != "video_upscale":
        return replace(filmed(asked, recipe, parent=parent, base=base), custom_id=custom_id, action=press.action)
    return Draft(
        action=press.action,
        asked=asked,
        recipe=recipe,
        parent=parent,
        custom_id=custom_id,
        base=base,
        buttons=_below(press, asked, square=wide == high),
    )


def _below(press: Press, asked: Asked, *, square: bool) -> Callable[[str], tuple[Button, ...]]:
    """The buttons below what a button makes."""
    match press.family:
        case "upscale":
            return lambda name: buttons.single(name, asked.version, square=square)
        case "enlarge":
            return lambda name: buttons.enlarged(name, asked.version)
        case "video_upscale":
            return buttons.film
        case _:
            return buttons.grid
