"""Which model a call names, and what OpenAI says to a name that is none, or of another kind."""

from dataclasses import replace

from unigate.sandbox.forms import checks
from unigate.sandbox.forms.manner import Manner
from unigate.sandbox.forms.models import Kind, Model
from unigate.sandbox.serving.answer import Object, VendorError
from unigate.sandbox.serving.face import Call

#: The length of vectors of models of the sandbox's own.
_DIMENSIONS = 256


def model(manner: Manner, call: Call, body: Object, kind: Kind, usual: str = "") -> Model:
    """The model of a call, by the name in its path or body; `usual` where it need not name one."""
    name = manner.model(call) or body.get("model") or usual
    if not name:
        raise VendorError(400, "you must provide a model parameter")
    if not isinstance(name, str):
        raise checks.wrong_type("model", "a string", name)
    found = manner.models.find(name)
    if found is None:
        raise manner.no_model(name)
    if found.owner == "sandbox":
        return replace(found, kind=kind, dimensions=_DIMENSIONS, shortens=True, infills=True)
    if found.kind != kind:
        raise _wrong_kind(kind, found)
    return found


def _wrong_kind(kind: Kind, found: Model) -> VendorError:
    """A model that cannot do what is asked."""
    if kind == "vectors":
        return VendorError(403, "You are not allowed to generate embeddings from this model")
    if kind == "harm":
        told = f"Invalid value for 'model' = {found.name}. It is not a moderation model."
        return checks.refuse(told, "model", "invalid_value")
    if kind in ("speech", "hearing"):
        return checks.refuse(f"Invalid value for 'model' = {found.name}.", "model", "invalid_value")
    if kind == "images":
        told = f"Invalid value: '{found.name}'. This model does not make pictures."
        return checks.refuse(told, "model", "invalid_value")
    if kind == "chat":
        told = (
            "This is not a chat model and thus not supported in the v1/chat/completions endpoint. "
            "Did you mean to use v1/completions?"
        )
    elif found.kind == "chat":
        told = (
            "This is a chat model and not supported in the v1/completions endpoint. "
            "Did you mean to use v1/chat/completions?"
        )
    else:
        told = "This model is not supported in the v1/completions endpoint."
    return VendorError(404, told, param="model")
