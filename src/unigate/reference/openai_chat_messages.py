"""Messages, parts and tools of a chat."""

from collections.abc import Mapping

from unigate.reference.schema import ANYTHING, Schema, either, flag, many, mapping, maybe, only, record, ref, text

#: A picture of one dot.
DOT = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
_NAME = text("Tells apart who speaks in one role.")


def _part(kind: str, about: str, value: Schema) -> Schema:
    return record({"type": only(kind), kind: value}, about, needs=("type", kind))


_PART = either(
    _part("text", "Text.", text()),
    _part(
        "image_url",
        "A picture.",
        record(
            {
                "url": text("Its address, or `data:image/...;base64,`.", least=1),
                "detail": text("How closely it is looked at.", of=("auto", "low", "high", "original")),
            },
            needs=("url",),
        ),
    ),
    _part(
        "input_audio",
        "Sound.",
        record({"data": text("In base64."), "format": text(of=("wav", "mp3"))}, needs=("data", "format")),
    ),
    _part(
        "file",
        "A document.",
        record({"file_data": text("In base64."), "file_id": text(), "filename": text()}),
    ),
    _part("refusal", "What the model refused with, in its own earlier message.", text()),
    about="A part of a message.",
)
_CONTENT = either(text(), many(ref("ChatPart"), least=1), about="Text, or parts.")
_CALL = either(
    record(
        {
            "id": text("By which the tool's answer names it."),
            "type": only("function"),
            "function": record(
                {"name": text(), "arguments": text("JSON as text; check it before use.")}, needs=("name", "arguments")
            ),
        },
        needs=("id", "type", "function"),
    ),
    record(
        {"id": text(), "type": only("custom"), "custom": record({"name": text(), "input": text()})},
        needs=("id", "type", "custom"),
    ),
    about="A call of a tool that the model asks for.",
)
_SPOKEN = maybe(
    record({"id": text(), "data": text("In base64."), "transcript": text(), "expires_at": ANYTHING}, needs=("id",))
)
_ASSISTANT = record(
    {
        "role": only("assistant"),
        "content": maybe(_CONTENT),
        "refusal": maybe(text()),
        "name": _NAME,
        "tool_calls": many(ref("ChatToolCall"), least=1),
        "audio": maybe(record({"id": text("Of sound that the model answered before.")}, needs=("id",))),
        "function_call": maybe(record({"name": text(), "arguments": text()}, "The former form of `tool_calls`.")),
    },
    "What the model said before.",
    needs=("role",),
)
_MESSAGE = either(
    record(
        {"role": text(of=("system", "developer")), "content": _CONTENT, "name": _NAME},
        "What the model is to heed throughout.",
        needs=("role", "content"),
    ),
    record(
        {"role": only("user"), "content": _CONTENT, "name": _NAME}, "What a person said.", needs=("role", "content")
    ),
    _ASSISTANT,
    record(
        {"role": only("tool"), "content": _CONTENT, "tool_call_id": text("Which call this answers.")},
        "What a tool answered.",
        needs=("role", "content", "tool_call_id"),
    ),
    record(
        {"role": only("function"), "content": maybe(text()), "name": text()},
        "The former form of a tool's answer.",
        needs=("role", "content", "name"),
    ),
    about="A message.",
)
_TOOL = either(
    record(
        {
            "type": only("function"),
            "function": record(
                {
                    "name": text("Letters, digits, `_` and `-`.", least=1, most=64),
                    "description": text("When to call it, and what it does."),
                    "parameters": mapping(ANYTHING, "JSON Schema of the arguments."),
                    "strict": maybe(flag("Follow the schema exactly.")),
                },
                needs=("name",),
            ),
        },
        "A function of yours.",
        needs=("type", "function"),
    ),
    record(
        {
            "type": only("custom"),
            "custom": record(
                {"name": text(least=1), "description": text(), "format": mapping(ANYTHING, "Text, or a grammar.")},
                needs=("name",),
            ),
        },
        "A tool that takes text.",
        needs=("type", "custom"),
    ),
    about="A tool that the model may call.",
)
_CHOICE = either(
    text(of=("none", "auto", "required")),
    record(
        {"type": only("function"), "function": record({"name": text()}, needs=("name",))}, needs=("type", "function")
    ),
    record({"type": only("custom"), "custom": record({"name": text()}, needs=("name",))}, needs=("type", "custom")),
    record({"type": only("allowed_tools"), "allowed_tools": mapping(ANYTHING)}, needs=("type", "allowed_tools")),
    about="Whether tools are called, or which one must be.",
)
_ANSWER = record(
    {
        "role": text(),
        "content": maybe(text("The text, where there is any.")),
        "refusal": maybe(text("Why the model does not answer.")),
        "tool_calls": maybe(many(ref("ChatToolCall"))),
        "function_call": maybe(record({"name": text(), "arguments": text()})),
        "audio": _SPOKEN,
        "annotations": many(mapping(ANYTHING), "Where something was found."),
        "reasoning_content": maybe(text("What the model thought, with providers that show it.")),
    },
    "The model's message.",
    needs=("role",),
)
SCHEMAS: Mapping[str, Schema] = {
    "ChatMessage": _MESSAGE,
    "ChatPart": _PART,
    "ChatTool": _TOOL,
    "ChatToolCall": _CALL,
    "ChatToolChoice": _CHOICE,
    "ChatAnswer": _ANSWER,
}
