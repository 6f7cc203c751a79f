"""Items of a response: what goes in, what comes out, and tools."""

from collections.abc import Mapping

from unigate.reference.schema import ANYTHING, Schema, either, flag, many, mapping, maybe, only, record, ref, text

_STATUS = maybe(text("How far it is.", of=("in_progress", "completed", "incomplete")))
_PART = either(
    record({"type": only("input_text"), "text": text()}, "Text.", needs=("type", "text")),
    record(
        {
            "type": only("input_image"),
            "image_url": maybe(text("Its address, or `data:image/...;base64,`.")),
            "file_id": maybe(text()),
            "detail": maybe(text("How closely it is looked at.", of=("auto", "low", "high", "original"))),
        },
        "A picture.",
        needs=("type",),
    ),
    record(
        {
            "type": only("input_file"),
            "file_data": maybe(text("In base64.")),
            "file_url": maybe(text("Its address.")),
            "file_id": maybe(text()),
            "filename": text(),
        },
        "A document.",
        needs=("type",),
    ),
    record({"type": only("output_text"), "text": text()}, "Text that the model said.", needs=("type", "text")),
    record({"type": only("refusal"), "refusal": text()}, "Why the model did not answer.", needs=("type", "refusal")),
    about="A part of a message.",
)
_INPUT = either(
    record(
        {
            "type": only("message"),
            "role": text(of=("user", "assistant", "system", "developer")),
            "content": either(text(), many(ref("ResponsePart"))),
        },
        "A message; `type` may be left out.",
        needs=("role", "content"),
    ),
    record(
        {
            "type": only("function_call"),
            "call_id": text("By which the output names it.", least=1),
            "name": text(least=1),
            "arguments": text("JSON as text."),
        },
        "A call that the model asked for before.",
        needs=("type", "call_id", "name", "arguments"),
    ),
    record(
        {
            "type": only("function_call_output"),
            "call_id": text(least=1),
            "output": either(text(), many(ref("ResponsePart")), about="What the function gave."),
        },
        "What your function answered.",
        needs=("type", "call_id", "output"),
    ),
    record(
        {
            "type": only("reasoning"),
            "summary": many(ANYTHING),
            "encrypted_content": maybe(text("The thinking, sealed: to be sent back where nothing is stored.")),
        },
        "What the model thought before.",
        needs=("type", "summary"),
    ),
    record({"type": only("item_reference"), "id": text(least=1)}, "A stored item.", needs=("type", "id")),
    about="An item of the input. Items of the vendor's own tools travel too.",
)
_OUTPUT = record(
    {
        "type": text("`message`, `function_call`, `reasoning`, or a call of a tool of the vendor's."),
        "id": text(),
        "status": _STATUS,
        "role": text("Of a message: `assistant`."),
        "content": maybe(
            many(
                record(
                    {
                        "type": text("`output_text`, `refusal` or `reasoning_text`."),
                        "text": text(),
                        "refusal": text(),
                        "annotations": many(mapping(ANYTHING), "Where something was found."),
                    },
                    needs=("type",),
                ),
                "Of a message or of thinking.",
            )
        ),
        "call_id": text("Of a call: name it in `function_call_output`."),
        "name": text("Of a call: which function."),
        "arguments": text("Of a call: JSON as text; check it before use."),
        "summary": many(mapping(ANYTHING), "Of thinking: what it was about."),
        "encrypted_content": maybe(text("Of thinking: the whole, sealed.")),
    },
    "An item of the output.",
    needs=("type",),
)
_TOOL = either(
    record(
        {
            "type": only("function"),
            "name": text("Letters, digits, `_` and `-`.", least=1, most=64),
            "description": maybe(text("When to call it, and what it does.")),
            "parameters": maybe(mapping(ANYTHING, "JSON Schema of the arguments.")),
            "strict": maybe(flag("Follow the schema exactly.")),
        },
        "A function of yours.",
        needs=("type", "name"),
    ),
    record(
        {"type": text("`web_search`, `file_search`, `code_interpreter`, `mcp`, ... with fields of its own.", least=1)},
        "A tool that the vendor runs.",
        needs=("type",),
    ),
    about="A tool that the model may call.",
)
_CHOICE = either(
    text(of=("none", "auto", "required")),
    record({"type": text(), "name": text()}, "This one.", needs=("type",)),
    about="Whether tools are called, or which one must be.",
)
SCHEMAS: Mapping[str, Schema] = {
    "ResponsePart": _PART,
    "ResponseInputItem": _INPUT,
    "ResponseOutputItem": _OUTPUT,
    "ResponseTool": _TOOL,
    "ResponseToolChoice": _CHOICE,
}
