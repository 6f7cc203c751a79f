"""Moderation: `POST /v1/moderations`."""

from unigate.reference import shared
from unigate.reference.page import Entry, Example, Page
from unigate.reference.schema import either, flag, many, mapping, maybe, number, only, record, ref, text

_PART = either(
    record({"type": only("text"), "text": text()}, needs=("type", "text")),
    record(
        {
            "type": only("image_url"),
            "image_url": record({"url": text("Its address, or `data:image/...;base64,`.", least=1)}, needs=("url",)),
        },
        needs=("type", "image_url"),
    ),
    about="A part of the input.",
)
_REQUEST = record(
    {
        "model": maybe(text("Name of the model; `omni-moderation-latest` unless told.", least=1)),
        "input": either(
            text(),
            many(text(), least=1),
            many(ref("ModerationPart"), least=1),
            about="One text, several, or parts that are judged together.",
        ),
        "usage": shared.INCLUDE_COST,
    },
    needs=("input",),
)
_RESULT = record(
    {
        "flagged": flag("Whether any category applies."),
        "categories": mapping(flag(), "Category (`hate`, `violence/graphic`, ...) -> whether it applies."),
        "category_scores": mapping(number(low=0, high=1), "Category -> how sure the model is."),
        "category_applied_input_types": mapping(
            many(text()), "Category -> which kinds of input (`text`, `image`) it was looked for in."
        ),
    },
    needs=("flagged", "categories", "category_scores"),
)
PAGE = Page(
    title="Moderation",
    about="Whether texts and pictures are harmful, and how.",
    entries=(
        Entry(
            operation="openai.moderations",
            title="Judge texts and pictures",
            about="A verdict for each input.",
            request=ref("ModerationRequest"),
            answer=ref("Moderation"),
            examples=(
                Example(title="A text", body={"model": "omni-moderation-latest", "input": "I love you all."}),
                Example(
                    title="Two texts", body={"model": "omni-moderation-latest", "input": ["Hello.", "I will kill him."]}
                ),
                Example(
                    title="Text and picture together",
                    body={
                        "model": "omni-moderation-latest",
                        "input": [
                            {"type": "text", "text": "What is this?"},
                            {"type": "image_url", "image_url": {"url": "https://example.com/picture.png"}},
                        ],
                    },
                ),
            ),
            shown={
                "id": "modr-5c2a",
                "model": "omni-moderation-latest",
                "results": [
                    {
                        "flagged": True,
                        "categories": {"violence": True, "hate": False},
                        "category_scores": {"violence": 0.93, "hate": 0.01},
                        "category_applied_input_types": {"violence": ["text"], "hate": ["text"]},
                    }
                ],
            },
        ),
    ),
    schemas={
        "ModerationRequest": _REQUEST,
        "ModerationPart": _PART,
        "ModerationResult": _RESULT,
        "Moderation": record(
            {
                "id": text(),
                "model": text("The model that judged."),
                "results": many(ref("ModerationResult"), "In the order of the inputs."),
                "usage": record({"cost": shared.COST}, "Only when the cost was asked for."),
            },
            needs=("results",),
        ),
    },
)
