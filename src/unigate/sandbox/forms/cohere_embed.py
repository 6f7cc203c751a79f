"""Cohere's embeddings: reads and checks texts, pictures or both, answers with vectors of the kinds asked for.

https://docs.cohere.com/reference/embed
"""

from typing import Any

from unigate.sandbox.brain import seeds
from unigate.sandbox.forms import checks, openai_request, vectors
from unigate.sandbox.forms.models import Models
from unigate.sandbox.forms.openai_errors import no_model
from unigate.sandbox.serving.answer import Answer, Object, VendorError, Whole
from unigate.sandbox.serving.face import Call, Handler

_MOST = 96
_PURPOSES = ("search_document", "search_query", "classification", "clustering", "image")
_KINDS = (*vectors.KINDS, "base64")
_CUTS = ("NONE", "START", "END")
_SIZES = (256, 512, 1024, 1536)


def embed(models: Models, version: str) -> Handler:
    """POST /v1/embed, /v2/embed."""

    async def handle(call: Call) -> Answer:
        """Answer with a vector for each input."""
        body = openai_request.decode(call.body)
        model = vectors.named(models, body, "vectors", _no_model)
        # Models before the third version need not be told what it is for.
        if body.get("input_type") is None and (version == "2" or model.name != "embed-english-v2.0"):
            raise checks.refuse("valid input_type must be provided with the provided model", "input_type")
        if body.get("input_type") is not None:
            checks.one_of(body["input_type"], "input_type", _PURPOSES)
        kinds = _kinds(body)
        checks.one_of(checks.given(body, "truncate", "END"), "truncate", _CUTS)
        texts, pictures = _inputs(body)
        size = vectors.size(body, "output_dimension", model, _SIZES if model.shortens else (model.dimensions,))
        rows = [] if "empty" in call.fault else [vectors.made(one, model, size) for one in (*texts, *pictures)]
        read = sum(map(vectors.counted, texts))
        seen = vectors.PICTURE_TOKENS * len(pictures)
        _refuse_long(body, texts, model.context)
        call.world.accounts.charge(call.credential, read + seen)
        plain = version == "1" and not body.get("embedding_types")
        by_kind = {kind: [_shown(row, kind) for row in rows] for kind in kinds}
        return Whole(
            payload={
                "id": seeds.uuid(seeds.dice(openai_request.seed(body))),
                "texts": [text.lower() if model.name.startswith("embed-english-v2") else text for text in texts],
                **({"images": [_about(one) for one in pictures]} if pictures else {}),
                "embeddings": by_kind["float"] if plain else by_kind,
                "response_type": "embeddings_floats" if plain else "embeddings_by_type",
                "meta": {
                    "api_version": {"version": version},
                    "billed_units": {"input_tokens": read, "image_tokens": seen},
                },
            },
            usage={"input": read, "image_input": seen},
            model=model.name,
        )

    return handle


def _no_model(name: str) -> VendorError:
    return VendorError(
        404, f"model '{name}' not found, make sure the correct model ID was used", code=no_model(name).code
    )


def _kinds(body: Object) -> list[str]:
    given = body.get("embedding_types")
    if given is None:
        return ["float"]
    return [checks.one_of(kind, "embedding_types", _KINDS) for kind in checks.listed(given, "embedding_types", least=1)]


def _inputs(body: Object) -> tuple[list[str], list[str]]:
    """Texts, and pictures as data URIs."""
    given = [name for name in ("texts", "images", "inputs") if body.get(name) is not None]
    if len(given) != 1:
        raise checks.refuse("invalid request: exactly one of texts, images or inputs must be specified", None)
    name = given[0]
    rows = checks.listed(body[name], name, "strings", least=1, most=_MOST)
    if name == "inputs":
        parts = [
            part for row in rows for part in checks.listed(checks.mapping(row, name).get("content"), name, least=1)
        ]
        texts = [str(part["text"]) for part in parts if part.get("type") == "text"]
        return texts, [_picture(part["image_url"]["url"]) for part in parts if part.get("type") == "image_url"]
    for place, row in enumerate(rows):
        if not isinstance(row, str):
            raise checks.wrong_type(f"{name}[{place}]", "a string", row)
    if name == "images" and len(rows) > 1:
        raise checks.refuse("invalid request: only one image is supported", "images")
    return (rows, []) if name == "texts" else ([], [_picture(row) for row in rows])


def _picture(url: Any) -> str:
    """A picture inside the call; Cohere fetches none."""
    if not isinstance(url, str) or not url.startswith("data:image/"):
        raise checks.refuse("invalid image: expected a data URI of an image", "images")
    checks.decoded(url.partition(",")[2], "images")
    return url


def _refuse_long(body: Object, texts: list[str], most: int) -> None:
    if body.get("truncate") == "NONE" and any(vectors.counted(text) > most for text in texts):
        raise checks.refuse(f"too many tokens: max tokens per text is {most}", "texts")


def _shown(vector: list[float], kind: str) -> object:
    return vectors.packed(vector) if kind == "base64" else vectors.shown(vector, kind)


def _about(picture: str) -> Object:
    kind = picture.partition(";")[0].removeprefix("data:image/")
    return {"width": 1, "height": 1, "format": kind, "bit_depth": 24}
