"""Embeddings: `POST /v1/embeddings`."""

from unigate.reference import shared
from unigate.reference.page import Entry, Example, Page
from unigate.reference.schema import either, flag, many, maybe, number, only, record, ref, text, whole

_INPUT = either(
    text(least=1),
    many(text(least=1), least=1, most=2048),
    many(whole(low=0), least=1, most=2048),
    many(many(whole(low=0), least=1), least=1, most=2048),
    many(
        record(
            {"text": text(least=1), "image": text("An address or base64, with models that see.", least=1)},
            "One of both, with providers that take objects.",
        ),
        least=1,
        most=2048,
    ),
    about="One text, several, or the same as token ids or as objects.",
)
_REQUEST = record(
    {
        "model": shared.MODEL,
        "input": _INPUT,
        "encoding_format": maybe(
            text("`base64`: little-endian 32-bit floats in base64, shorter on the wire.", of=("float", "base64"))
        ),
        "dimensions": maybe(whole("How many numbers a vector has, with models that can be told.", low=1)),
        "task": maybe(text("Jina: what it is for, such as `retrieval.query`.", least=1)),
        "input_type": maybe(text("Voyage and Cohere: what it is for, such as `query` or `document`.", least=1)),
        "embedding_type": maybe(either(text(), many(text()), about="Jina: `float`, `base64`, `binary`, `ubinary`.")),
        "output_dtype": maybe(text("Voyage and Cohere: `float`, `int8`, `uint8`, `binary`, `ubinary`.", least=1)),
        "output_dimension": maybe(whole("Voyage: as `dimensions`.", low=1)),
        "return_multivector": maybe(flag("Jina: a vector for each token, in `embeddings`.")),
        "user": shared.USER,
        "usage": shared.INCLUDE_COST,
    },
    needs=("model", "input"),
)
_VECTOR = record(
    {
        "object": text("`embedding`; `multivector` where there are several."),
        "index": whole("Which input it belongs to.", low=0),
        "embedding": either(many(number()), text(), about="Numbers, or base64 if asked for."),
        "embeddings": many(many(number()), "Several vectors, if asked for."),
    },
    needs=("index",),
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
    schemas={
        "EmbeddingRequest": _REQUEST,
        "EmbeddingList": _ANSWER,
        "Embedding": _VECTOR,
        **shared.SCHEMAS,
        **shared.WIDE_ERRORS,
    },
    error="WideError",
    refusal="WideRefusal",
)
