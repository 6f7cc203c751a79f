"""Images: `POST /v1/images/generations`."""

from unigate.reference import shared
from unigate.reference.image_things import ANSWER, COMMON, SHOWN
from unigate.reference.page import Entry, Example, Page
from unigate.reference.schema import maybe, record, ref, text, whole

_REQUEST = record(
    {
        "model": shared.MODEL,
        "prompt": text("What is to be seen.", least=1, most=32_000),
        "n": maybe(
            whole("How many pictures. Where the model makes fewer at a time, several are ordered.", low=1, high=10)
        ),
        **COMMON,
        "moderation": maybe(text("How strictly the prompt is looked at, with GPT models.", of=("auto", "low"))),
        "style": maybe(text("With `dall-e-3`.", of=("vivid", "natural"))),
    },
    "Fields of the model that are not named here travel. Without a model one is chosen that knows the fields.",
    needs=("prompt",),
)
PAGE = Page(
    title="Images",
    about="Pictures from words, in OpenAI's form, of whatever vendor.",
    entries=(
        Entry(
            operation="openai.images.generations",
            title="Make pictures",
            about=(
                "Where tasks make them the call waits, up to five minutes; what takes longer goes on as a task (504 names "
                "it). Money for all pictures must be there; those that were made are charged. With `stream` GPT models "
                "answer with events: `image_generation.partial_image`, `image_generation.completed`."
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
            shown=SHOWN,
        ),
    ),
    schemas={
        "ImageRequest": _REQUEST,
        "ImageList": ANSWER,
    },
)
