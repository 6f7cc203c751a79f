"""`code_interpreter` of responses: the model reads the files of its container. It runs no code, as a model may choose to.

https://platform.openai.com/docs/guides/tools-code-interpreter
"""

from dataclasses import replace

from unigate.sandbox.brain.prompt import File, Turn
from unigate.sandbox.forms import attached, checks, platform_containers, platform_files
from unigate.sandbox.serving.answer import Object
from unigate.sandbox.serving.face import Call


def heard(call: Call, body: Object, turns: tuple[Turn, ...]) -> tuple[Turn, ...]:
    """The conversation with the files of the containers that tools name as documents of its last message."""
    files: list[File] = []
    for number, tool in enumerate(checks.listed(checks.given(body, "tools", []), "tools")):
        if isinstance(tool, dict) and tool.get("type") == "code_interpreter":
            files += _files(call, tool, f"tools[{number}].container")
    if not files or not turns or turns[-1].role != "user":
        return turns
    return (*turns[:-1], replace(turns[-1], files=(*turns[-1].files, *files)))


def _files(call: Call, tool: Object, at: str) -> list[File]:
    given = tool.get("container")
    if given is None:
        raise checks.missing(at)
    if isinstance(given, str):
        kept = platform_containers.find(call, given, at)
        return [attached.document(file.name, platform_containers.read(call, file)) for file in kept.files.all()]
    container = checks.mapping(given, at)
    checks.one_of(container.get("type"), f"{at}.type", ("auto",))
    ids = checks.listed(checks.given(container, "file_ids", []), f"{at}.file_ids", "strings")
    library = platform_files.library(call)
    return [attached.document(*library(str(id), f"{at}.file_ids")) for id in ids]
