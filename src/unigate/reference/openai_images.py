"""Images: `POST /v1/images/generations`."""

from unigate.reference import shared
from unigate.reference.page import Entry, Example, Page
from unigate.reference.schema import many, maybe, record, ref, text, whole

_REQUEST = record(
    {
        "model": shared.MODEL,
        "prompt": text("What is to be seen.", least=1, most=32_000),
        "n": maybe(
            whole("How many pictures. Where the model makes fewer at a time, several are ordered.", low=1, high=10)
        ),
        "size": maybe(text("`auto`, or width and height: `1024x1024`. Models that take ratios get the nearest one.")),
        "output_format": maybe(text("`png`, `jpeg` or `webp`, with models that can be told.", least=1)),
        "response_format": maybe(text("As addresses, or as the pictures themselves.", of=("url", "b64_json"))),
        "user": shared.USER,
    },
    "Fields of the model that are not named here travel.",
    needs=("model", "prompt"),
)
_ANSWER = record(
    {
        "created": whole("Seconds since 1970.", low=0),
        "data": many(
            record(
                {
                    "url": text("Where it is fetched. The link ends."),
                    "b64_json": text("The picture in base64, where that was asked for."),
                }
            ),
            "The pictures, fewer than were asked for where some could not be made (`x-unigate-failed`).",
        ),
        "output_format": text("With base64: `png`, `jpeg`, `webp`, where all are of one."),
        "size": text("With base64: width and height, where all have the same."),
    },
    needs=("created", "data"),
)
PAGE = Page(
    title="Images",
    about="Pictures from words, in OpenAI's form, of whatever vendor.",
    entries=(
        Entry(
            operation="openai.images.generations",
            title="Make pictures",
            about=(
                "The call waits for its pictures, up to five minutes; what takes longer goes on as a task (504 names it). "
                "Money for all pictures must be there; those that were made are charged."
            ),
            request=ref("ImageRequest"),
            answer=ref("ImageList"),
            examples=(
                Example(
                    title="A picture",
                    body={
                        "model": "black-forest-labs/flux-schnell",
                        "prompt": "A lighthouse in a storm",
                        "size": "1024x1024",
                    },
                ),
            ),
            shown={
                "created": 1787220000,
                "data": [{"url": "https://ai.example.com/files/ast_01J9Z6V3Q9.webp?until=1790003600&sig=0a1b"}],
            },
        ),
    ),
    schemas={"ImageRequest": _REQUEST, "ImageList": _ANSWER},
)
