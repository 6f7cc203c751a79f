"""Embeddings in Cohere's own form: `POST /v2/embed`, `/v1/embed`."""

from unigate.reference import shared
from unigate.reference.page import Entry, Example, Page
from unigate.reference.schema import ANYTHING, either, many, mapping, maybe, number, record, ref, text, whole

_KINDS = ("float", "int8", "uint8", "binary", "ubinary", "base64")
_REQUEST = record(
    {
        "model": shared.MODEL,
        "input_type": maybe(
            text(
                "What the vectors are for.",
                of=("search_document", "search_query", "classification", "clustering", "image"),
            )
        ),
        "texts": maybe(many(text(), "One of `texts`, `images` and `inputs`.", least=1, most=96)),
        "images": maybe(many(text(), "Data URIs.", least=1, most=96)),
        "inputs": maybe(many(mapping(ANYTHING, "`content`: parts with text or a picture."), least=1, most=96)),
        "embedding_types": maybe(many(text(of=_KINDS), "Kinds of vectors.", least=1)),
        "output_dimension": maybe(whole("How many numbers a vector has.", low=1)),
        "truncate": maybe(text("Which end of a long text is cut.", of=("NONE", "START", "END"))),
    },
    needs=("model",),
)
_VECTORS = many(either(many(number()), text()))
_ANSWER = record(
    {
        "id": text(),
        "embeddings": either(
            mapping(_VECTORS, "By kind, in the order of the inputs."),
            many(many(number())),
            about="A bare list where `/v1/embed` was called without `embedding_types`.",
        ),
        "texts": many(text()),
        "response_type": text("`embeddings_by_type` or `embeddings_floats`."),
        "meta": mapping(ANYTHING, "`api_version`, `billed_units` (`input_tokens`, `image_tokens`)."),
    },
    needs=("embeddings",),
)
_BODY = {"model": "embed-v4.0", "input_type": "search_document", "texts": ["A cat on a mat"]}
_SHOWN = {
    "id": "0728b136-9b30-4fb5-bf9a-2c7cf36d51d3",
    "embeddings": {"float": [[0.6, -0.8]]},
    "texts": ["A cat on a mat"],
    "response_type": "embeddings_by_type",
    "meta": {"api_version": {"version": "2"}, "billed_units": {"input_tokens": 5}},
}
PAGE = Page(
    title="Embeddings in Cohere's form",
    about="As `POST /v1/embeddings`, as Cohere's SDK asks for it: by Cohere's models, Jina's and Voyage's.",
    entries=tuple(
        Entry(
            operation=name,
            title=f"Embed texts or pictures ({version})",
            about="Vectors of the kinds asked for. Only input is charged.",
            request=ref("CohereEmbedRequest"),
            answer=ref("CohereEmbedAnswer"),
            examples=(
                Example(title="A text", body=_BODY),
                Example(title="A kind of vector", body={**_BODY, "embedding_types": ["int8"]}),
            ),
            shown=_SHOWN,
        )
        for name, version in (("cohere.embed", "v2"), ("cohere.embed_v1", "v1"))
    ),
    schemas={"CohereEmbedRequest": _REQUEST, "CohereEmbedAnswer": _ANSWER, **shared.COHERE_ERRORS},
    error="CohereError",
    refusal="CohereError",
)
