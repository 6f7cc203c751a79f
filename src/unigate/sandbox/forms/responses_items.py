"""Reads and checks the items of an OpenAI response's input: as they are kept, and as turns of a conversation."""

from collections.abc import Callable, Iterable
from typing import Any

from unigate.sandbox.brain import pictures
from unigate.sandbox.brain.prompt import File, Picture, Role, ToolCall, Turn
from unigate.sandbox.forms import attached, checks
from unigate.sandbox.forms.attached import Library
from unigate.sandbox.forms.models import Model
from unigate.sandbox.serving.answer import Object

_ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "system": "system", "developer": "system"}
_PARTS = ("input_text", "input_image", "output_text", "refusal", "input_file", "computer_screenshot", "summary_text")
#: Items that say nothing to a model of the sandbox: what tools of the vendor's did.
_MUTE = frozenset(
    {
        "reasoning",
        "file_search_call",
        "web_search_call",
        "computer_call",
        "computer_call_output",
        "image_generation_call",
        "code_interpreter_call",
        "local_shell_call",
        "local_shell_call_output",
        "shell_call",
        "shell_call_output",
        "apply_patch_call",
        "apply_patch_call_output",
        "mcp_list_tools",
        "mcp_approval_request",
        "mcp_approval_response",
        "mcp_call",
        "compaction",
        "tool_search_call",
        "tool_search_output",
        "additional_tools",
    }
)
_PREFIXES = {
    "message": "msg",
    "function_call": "fc",
    "function_call_output": "fco",
    "custom_tool_call": "ctc",
    "custom_tool_call_output": "ctco",
    "reasoning": "rs",
}
_KINDS = (*_PREFIXES, "item_reference", *sorted(_MUTE - {"reasoning"}))


def read(value: Any, named: Callable[[str], str], known: Iterable[Object], param: str = "input") -> list[Object]:
    """The items of an input, each with id and type; `named` makes ids, `known` are the items that may be referred to."""
    if value is None:
        raise checks.missing(param)
    if isinstance(value, str):
        value = [{"role": "user", "content": value}]
    return [_item(item, f"{param}[{at}]", named, known) for at, item in enumerate(checks.listed(value, param))]


def _item(value: Any, at: str, named: Callable[[str], str], known: Iterable[Object]) -> Object:
    item = dict(checks.mapping(value, at))
    kind = checks.one_of(checks.given(item, "type", "message"), f"{at}.type", _KINDS)
    if kind == "item_reference":
        wanted = checks.text(item, "id", f"{at}.id", required=True)
        found = next((one for one in known if one["id"] == wanted), None)
        if found is None:
            raise checks.refuse(f"Item with id '{wanted}' not found.", "input")
        return found
    if kind == "message":
        role = checks.one_of(item.get("role"), f"{at}.role", _ROLES)
        content = item.get("content")
        if isinstance(content, str):
            part = "output_text" if role == "assistant" else "input_text"
            more: Object = {"annotations": [], "logprobs": []} if role == "assistant" else {}
            item["content"] = [{"type": part, "text": content, **more}]
        else:
            checks.listed(content, f"{at}.content", least=1)
        item.setdefault("status", "completed")
    elif kind not in _MUTE:
        checks.text(item, "call_id", f"{at}.call_id", required=True)
    elif kind == "reasoning":
        for number, part in enumerate(checks.listed(item.get("summary", []), f"{at}.summary")):
            checks.mapping(part, f"{at}.summary[{number}]")
    item["type"] = kind
    item["id"] = item.get("id") or named(_PREFIXES.get(kind, "item"))
    return item


def turns(items: Iterable[Object], model: Model, library: Library) -> tuple[Turn, ...]:
    """The conversation that items make; VendorError as the vendor would refuse it."""
    made = []
    for place, item in enumerate(items):
        turn = _turn(item, f"input[{place}]", model, library)
        if turn is not None:
            made.append(turn)
    _check_results(made)
    return tuple(made)


def _turn(item: Object, at: str, model: Model, library: Library) -> Turn | None:
    kind = item["type"]
    if kind == "message":
        return _message(item, at, model, library)
    if kind in ("function_call", "custom_tool_call"):
        given = "input" if kind == "custom_tool_call" else "arguments"
        call = ToolCall(
            id=item["call_id"],
            name=checks.text(item, "name", f"{at}.name", required=True),
            arguments=checks.text(item, given, f"{at}.{given}", required=True),
            custom=kind == "custom_tool_call",
        )
        return Turn(role="assistant", calls=(call,))
    if kind in ("function_call_output", "custom_tool_call_output"):
        output = item.get("output")
        if isinstance(output, list):
            output = "\n".join(str(part.get("text", "")) for part in output if isinstance(part, dict))
        return Turn(
            role="tool", text=checks.text({"output": output}, "output", f"{at}.output"), answers=item["call_id"]
        )
    return None


def _message(item: Object, at: str, model: Model, library: Library) -> Turn:
    texts: list[str] = []
    seen: list[Picture] = []
    files: list[File] = []
    for number, value in enumerate(item["content"]):
        where = f"{at}.content[{number}]"
        part = checks.mapping(value, where)
        kind = checks.one_of(part.get("type"), f"{where}.type", _PARTS)
        if kind == "input_image":
            seen.append(_picture(part, where, model, library))
        elif kind == "input_file":
            files.append(_file(part, where, library))
        else:
            field = "refusal" if kind == "refusal" else "text"
            texts.append(checks.text(part, field, f"{where}.{field}", required=kind != "computer_screenshot"))
    return Turn(role=_ROLES[item["role"]], text="\n".join(texts), pictures=tuple(seen), files=tuple(files))


def _picture(part: Object, at: str, model: Model, library: Library) -> Picture:
    if not model.sees:
        raise checks.refuse("Invalid content type. input_image is only supported by certain models.", f"{at}.type")
    detail = checks.one_of(checks.given(part, "detail", "auto"), f"{at}.detail", ("low", "auto", "high", "original"))
    if kept := checks.text(part, "file_id", f"{at}.file_id"):
        return attached.picture(library(kept, f"{at}.file_id")[1], f"{at}.file_id", detail)
    url = checks.text(part, "image_url", f"{at}.image_url", required=True)
    if url.startswith(("https://", "http://")):
        return Picture("linked", None, None, detail)
    head, comma, data = url.partition(",")
    measured = None
    if url.startswith("data:image/") and comma and head.endswith(";base64"):
        measured = pictures.measure(checks.decoded(data, f"{at}.image_url"))
    if measured is None:
        told = "Invalid 'image_url'. Expected a valid URL, or base64 data of a png, jpeg, gif or webp image."
        raise checks.refuse(told, f"{at}.image_url", "invalid_value")
    return Picture(*measured, detail)


def _file(part: Object, at: str, library: Library) -> File:
    if kept := checks.text(part, "file_id", f"{at}.file_id"):
        return attached.document(*library(kept, f"{at}.file_id"))
    if url := checks.text(part, "file_url", f"{at}.file_url"):
        return File(url, 0)
    data = checks.text(part, "file_data", f"{at}.file_data", required=True)
    name = checks.text(part, "filename", f"{at}.filename") or "file"
    return attached.document(name, checks.decoded(data.rpartition(",")[2], f"{at}.file_data"))


def _check_results(made: list[Turn]) -> None:
    """Each result has its call, and each call its result."""
    called = {call.id for turn in made for call in turn.calls}
    answered = {turn.answers for turn in made if turn.role == "tool"}
    for identity in answered - called:
        raise checks.refuse(f"No tool call found for function call output with call_id {identity}.", "input")
    for identity in called - answered:
        raise checks.refuse(f"No tool output found for function call {identity}.", "input")
