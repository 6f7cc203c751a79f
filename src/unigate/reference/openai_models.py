"""Models: `GET /v1/models` and `GET /v1/models/{model}`."""

from unigate.reference.page import Entry, Example, Page
from unigate.reference.schema import many, mapping, maybe, only, record, ref, text, whole

_USD = text("US dollars, exact, as decimal text.")
_SHOWN = {
    "id": "gpt-4o-mini",
    "object": "model",
    "created": 1721172741,
    "owned_by": "openai",
    "state": "live",
    "modalities": ["text", "image"],
    "input_limit": 128000,
    "output_limit": 16384,
    "prices": [{"when": {}, "rates": {"input": {"usd": "0.15", "per": 1000000}}}],
}
_MODEL = record(
    {
        "id": text("The name to call it by."),
        "object": only("model"),
        "created": whole("Seconds since 1970."),
        "owned_by": text("Who made it."),
        "state": text("`deprecated`: works, and is to end.", of=("live", "deprecated")),
        "modalities": many(text(), "What it takes and gives."),
        "input_limit": maybe(whole("Most tokens of a prompt.", low=0)),
        "output_limit": maybe(whole("Most tokens of an answer.", low=0)),
        "prices": many(
            record(
                {
                    "when": mapping(text(), "The condition under which these hold; empty: always."),
                    "rates": mapping(
                        record({"usd": _USD, "per": whole("For this many units.", low=1)}, needs=("usd", "per")),
                        "Unit -> its price, the caller's group considered.",
                    ),
                },
                needs=("when", "rates"),
            )
        ),
    },
    "A model as the calling key sees it.",
    needs=("id", "object", "created", "owned_by", "state", "modalities", "prices"),
)
PAGE = Page(
    title="Models",
    about="What the calling key may use, and at which prices.",
    entries=(
        Entry(
            operation="openai.models",
            title="List models",
            about="All models that the key may use, by name.",
            answer=ref("ModelList"),
            shown={"object": "list", "data": [_SHOWN]},
            examples=(Example(title="All"),),
        ),
        Entry(
            operation="openai.model",
            title="Get a model",
            about="One model. A slash in its name may stand as it is.",
            answer=ref("Model"),
            shown=_SHOWN,
            places={"model": text("The model's name.", least=1)},
            examples=(Example(title="One", path={"model": "gpt-4o-mini"}),),
            fails=(404,),
        ),
    ),
    schemas={
        "Model": _MODEL,
        "ModelList": record({"object": only("list"), "data": many(ref("Model"))}, "Models.", needs=("object", "data")),
    },
)
