"""`code_interpreter` of responses: the model looks what files its container has, and reads them.

It says the one program that lists them, with what that prints; no other code is written, and none is run.
https://platform.openai.com/docs/guides/tools-code-interpreter
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from unigate.sandbox.brain import tokens
from unigate.sandbox.brain.prompt import Turn
from unigate.sandbox.forms import attached, checks, containers, platform, platform_files
from unigate.sandbox.forms.containers import Container
from unigate.sandbox.forms.platform_files import Upload
from unigate.sandbox.serving.answer import Object
from unigate.sandbox.serving.face import Call

_CODE = 'import os\n\nfor name in sorted(os.listdir("/mnt/data")):\n    print(name)'


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What became of the tool in a response."""

    #: Tells of the program; None where none was run.
    item: Object | None = None
    #: The conversation with the files as documents of its last message.
    turns: tuple[Turn, ...]
    #: Lets the container be there, once nothing else of the call is refused.
    settle: Callable[[], None] = lambda: None


def run(
    call: Call, body: Object, turns: tuple[Turn, ...], before: Iterable[Object], named: Callable[[str], str]
) -> Ran:
    """Look into the container of the first such tool; `before` are the items so far, whose container is used again."""
    tools = checks.listed(checks.given(body, "tools", []), "tools")
    places = [n for n, one in enumerate(tools) if isinstance(one, dict) and one.get("type") == "code_interpreter"]
    if not places:
        return Ran(turns=turns)
    container, uploads = _found(call, tools[places[0]], f"tools[{places[0]}].container", before)
    if not turns or turns[-1].role != "user" or body.get("tool_choice") == "none" or "empty" in call.fault:
        return Ran(turns=turns)
    inside = {file.name: containers.read(call, file) for file in container.files.all()}
    added = {one.filename: platform_files.read(call.world, one) for one in uploads if one.filename not in inside}
    files = tuple(attached.document(name, data) for name, data in {**inside, **added}.items())
    item: Object = {
        "id": named("ci"),
        "type": "code_interpreter_call",
        "status": "completed",
        "code": _CODE,
        "container_id": container.id,
        "outputs": None,
    }
    if "code_interpreter_call.outputs" in (body.get("include") or ()):
        printed = "".join(f"{file.name}\n" for file in sorted(files, key=lambda file: file.name))
        item["outputs"] = [{"type": "logs", "logs": printed}]

    def settle() -> None:
        for name, data in added.items():
            containers.put(call, container, name, data)
        containers.keep(call, container)

    return Ran(item=item, turns=(*turns[:-1], replace(turns[-1], files=(*turns[-1].files, *files))), settle=settle)


def _found(call: Call, tool: Object, at: str, before: Iterable[Object]) -> tuple[Container, list[Upload]]:
    """The container of a tool, and files that are to be in it; what the vendor refuses is refused."""
    given = tool.get("container")
    if given is None:
        raise checks.missing(at)
    if isinstance(given, str):
        return containers.find(call, given, at), []
    asked = checks.mapping(given, at)
    checks.one_of(asked.get("type"), f"{at}.type", ("auto",))
    ids = checks.listed(checks.given(asked, "file_ids", []), f"{at}.file_ids", "strings")
    uploads = [platform_files.needed(call, str(id), f"{at}.file_ids") for id in ids]
    used = [str(item.get("container_id")) for item in before if item["type"] == "code_interpreter_call"]
    again = containers.running(call, used[-1]) if used else None
    return again or containers.new(f"auto-{platform.now()}"), uploads


def steps(item: Object) -> Iterator[tuple[str, Object]]:
    """Kinds and members of the events while a program is written and run."""
    base = "response.code_interpreter_call"
    yield f"{base}.in_progress", {}
    for piece in tokens.pieces(item["code"]):
        yield f"{base}_code.delta", {"delta": piece}
    yield f"{base}_code.done", {"code": item["code"]}
    yield f"{base}.interpreting", {}
    yield f"{base}.completed", {}
