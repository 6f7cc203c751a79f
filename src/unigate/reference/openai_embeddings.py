"""Embeddings: `POST /v1/embeddings`."""

from unigate.reference import shared
from unigate.reference.page import Entry, Example, Page
from unigate.reference.schema import either, many, maybe, number, only, record, ref, text, whole

_INPUT = either(
    text(least=1),
    many(text(least=1), least=1, most=2048),
    many(whole(low=0), least=1, most=2048),
    many(many(whole(low=0), least=1), least=1, most=2048),
    about="One text, several, or the same as token ids.",
)
_REQUEST = record(
    {
        "model": shared.MODEL,
        "input": _INPUT,
        "encoding_format": maybe(
            text("`base64`: little-endian 32-bit floats in base64, shorter on the wire.", of=("float", "base64"))
        ),
        "dimensions": maybe(whole("How many numbers a vector has, with models that can be told.", low=1)),
        "user": shared.USER,
        "usage": shared.INCLUDE_COST,
    },
    needs=("model", "input"),
)
_VECTOR = record(
    {
        "object": only("embedding"),
        "index": whole("Which input it belongs to.", low=0),
        "embedding": either(many(number()), text(), about="Numbers, or base64 if asked for."),
    },
    needs=("index", "embedding"),
)
_ANSWER = record(
    {
        "object": only("list"),
        "data": many(ref("Embedding"), "One for each input, in their order."),
        "model": text("The model that answered."),
        "usage": ref("Usage"),
    },
    needs=("data",),
)
PAGE = Page(
    title="Embeddings",
    about="Texts as vectors: the nearer two are, the more alike the texts.",
    entries=(
        Entry(
            operation="openai.embeddings",
            title="Embed texts",
            about="A vector for each input. Only input is charged.",
            request=ref("EmbeddingRequest"),
            answer=ref("EmbeddingList"),
            examples=(
                Example(title="One text", body={"model": "text-embedding-3-small", "input": "A cat on a mat"}),
                Example(
                    title="Two short vectors in base64",
                    body={
                        "model": "text-embedding-3-small",
                        "input": ["A cat on a mat", "A dog in the fog"],
                        "encoding_format": "base64",
                        "dimensions": 256,
                    },
                ),
            ),
            shown={
                "object": "list",
                "data": [{"object": "embedding", "index": 0, "embedding": [0.6, -0.8]}],
                "model": "text-embedding-3-small",
                "usage": {"prompt_tokens": 5, "total_tokens": 5},
            },
        ),
    ),
    schemas={"EmbeddingRequest": _REQUEST, "EmbeddingList": _ANSWER, "Embedding": _VECTOR, **shared.SCHEMAS},
)
