"""Fields of a form as dialects read them.

A field that we read may stand there once only, since provider and price might see different ones.
"""

from unigate.base.errors import BadRequest
from unigate.dialects.openai_body import Edits
from unigate.spec.facts import Facts
from unigate.spec.form import FilePart, Form


def text(form: Form, name: str) -> str | None:
    """The value of a field, None where there is none. BadRequest (with `param`): twice, a file, no UTF-8.

    `name[]` counts as well: to some readers it is the same field. A name with a place in it (`name[place]`) is that alone.
    """
    within = "[" in name
    found = [part for part in form.parts if (part.name if within else part.name.partition("[")[0]) == name]
    if not found:
        return None
    part = found[0]
    if len(found) > 1 or part.name != name:
        raise BadRequest(f"The form has more than one '{name}'.", param=name)
    if isinstance(part, FilePart):
        raise BadRequest(f"'{name}' is a field, not a file.", param=name)
    try:
        return part.value.decode()
    except UnicodeDecodeError:
        raise BadRequest(f"'{name}' is not valid UTF-8.", param=name) from None


def flag(form: Form, name: str) -> bool:
    """Whether a field says yes, as vendors read it: `true` or `1`, in whatever case."""
    return (text(form, name) or "").strip().lower() in ("true", "1")


def files(form: Form, *names: str) -> tuple[FilePart, ...]:
    """The files of these names. BadRequest (with `param`) for a field of such a name."""
    for part in form.named(*names):
        if not isinstance(part, FilePart):
            raise BadRequest(f"'{part.name}' is a file; send it with a file name.", param=part.name)
    return tuple(part for part in form.files() if part.name in names)


def edit(form: Form, facts: Facts, edits: Edits) -> Form:  # noqa: ARG001  (the shape of every `edit`)
    """The form as the provider gets it: the model's name, and without what is to be left out."""
    if edits.drop:
        form = form.without(edits.drop)
    return form if edits.model is None else form.with_value("model", edits.model.encode())
