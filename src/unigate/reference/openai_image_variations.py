"""Images: `POST /v1/images/variations`."""

from unigate.reference import shared
from unigate.reference.image_things import ANSWER, PICTURE, SHOWN
from unigate.reference.page import Entry, Example, Page
from unigate.reference.schema import maybe, record, ref, text, whole

_REQUEST = record(
    {
        "image": text("A file: a square PNG of less than 4 MB."),
        "model": shared.MODEL,
        "n": maybe(whole("How many pictures.", low=1, high=10)),
        "size": maybe(text("Width and height.", of=("256x256", "512x512", "1024x1024"))),
        "response_format": maybe(text("As addresses, or as the pictures themselves.", of=("url", "b64_json"))),
        "user": shared.USER,
    },
    "A form (`multipart/form-data`).",
    needs=("image",),
)
PAGE = Page(
    title="Variations of images",
    about="Pictures like a picture, in OpenAI's form.",
    entries=(
        Entry(
            operation="openai.images.variations",
            title="Make pictures like one",
            about="With `dall-e-2`, which is meant where no model is named.",
            request_type="multipart/form-data",
            request=ref("ImageVariationRequest"),
            answer=ref("ImageList"),
            examples=(Example(title="A variation", body={"image": PICTURE, "size": "256x256"}),),
            shown=SHOWN,
        ),
    ),
    schemas={"ImageVariationRequest": _REQUEST, "ImageList": ANSWER},
)
