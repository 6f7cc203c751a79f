"""Small changes by which vendors differ from OpenAI's form, for providers to put together. Pure, and knows no vendor."""

from collections.abc import Callable, Iterable, Mapping

from unigate.dialects import form_read, json_edit
from unigate.spec.form import Form
from unigate.spec.provider import Options

Adjust = Callable[[bytes, Options], tuple[bytes, tuple[str, ...]]]
AdjustUsage = Callable[[Mapping[str, object]], Mapping[str, object]]
#: Vendors that know the older name of the output limit only.
OLDER_LIMIT: Mapping[str, str] = {"max_completion_tokens": "max_tokens"}


def fields(*, rename: Mapping[str, str] | None = None, drop: Iterable[str] = (), unsaid: Iterable[str] = ()) -> Adjust:
    """An `adjust_request` for top-level members that go by another name, or that the vendor refuses.

    A member that is there under its new name too is left out, as are those of `drop`, and named. Those of `unsaid` are
    left out without a word, since the vendor does by itself what they ask for.
    """
    names = dict(rename or {})
    dropped = frozenset(drop)
    silent = frozenset(unsaid)
    marks = tuple(name.encode() for name in (*names, *dropped, *silent))

    def adjust(body: bytes, _options: Options) -> tuple[bytes, tuple[str, ...]]:
        if not any(mark in body for mark in marks) and b"\\u00" not in body:
            return body, ()
        there = {member.key for member in json_edit.members(body)}
        moved = {old: new for old, new in names.items() if old in there and new not in there}
        ignored = [name for name in there & (dropped | names.keys()) if name not in moved]
        gone = [*ignored, *(there & silent)]
        if not moved and not gone:
            return body, ()
        return json_edit.apply(body, json_edit.change(body, {}, gone, names=moved)), tuple(sorted(ignored))

    return adjust


def cached_in(*places: str) -> AdjustUsage:
    """An `adjust_usage` for a vendor that counts what it read from its cache under a name of its own; first found wins.

    Details that the vendor gives as OpenAI does are kept, and win.
    """

    def adjust(usage: Mapping[str, object]) -> Mapping[str, object]:
        details = usage.get("prompt_tokens_details")
        known = details if isinstance(details, Mapping) else {}
        if known.get("cached_tokens") is not None:
            return usage
        for place in places:
            if usage.get(place) is not None:
                return {**usage, "prompt_tokens_details": {**known, "cached_tokens": usage[place]}}
        return usage

    return adjust


def without_stream(*names: str) -> Callable[[Form, Options], tuple[Form, tuple[str, ...]]]:
    """An `adjust_form` for a vendor whose models with such beginnings of names answer whole, whatever is asked."""

    def adjust(form: Form, options: Options) -> tuple[Form, tuple[str, ...]]:  # noqa: ARG001 - as every such change
        if (form_read.text(form, "model") or "").startswith(names) and form_read.flag(form, "stream"):
            return form.without(("stream",)), ("stream",)
        return form, ()

    return adjust
