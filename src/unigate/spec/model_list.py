"""The names in a vendor's list of models, in the forms that vendors have. It does not judge what the models can do."""

import msgspec

#: Members of a list's answer under which the models stand, and of a model under which its name stands, best first.
_LISTS = ("data", "models")
_NAMES = ("id", "name", "model")


def listed_models(body: bytes) -> tuple[str, ...]:
    """The names, in the vendor's order and each once; ValueError where `body` is no list of models.

    OpenAI's form (https://platform.openai.com/docs/api-reference/models/list), a bare list (Together), and lists under
    `models` (Ollama's own).
    """
    try:
        told: object = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ValueError("the list of models is not JSON") from None
    if isinstance(told, dict):
        told = next((told[key] for key in _LISTS if isinstance(told.get(key), list)), None)
    if not isinstance(told, list):
        raise ValueError("the answer holds no list of models")  # noqa: TRY004 - what was sent is wrong, not a type of ours
    return tuple(dict.fromkeys(name for name in map(_name, told) if name))


def _name(row: object) -> str:
    if isinstance(row, str):
        return row
    if not isinstance(row, dict):
        return ""
    return next((row[key] for key in _NAMES if isinstance(row.get(key), str)), "")
