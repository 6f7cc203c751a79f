"""Images: `POST /v1/images/edits`."""

from unigate.reference import shared
from unigate.reference.image_things import ANSWER, COMMON, PICTURE, SHOWN
from unigate.reference.page import Entry, Example, Page
from unigate.reference.schema import many, maybe, record, ref, text, whole

_REQUEST = record(
    {
        "model": shared.MODEL,
        "prompt": text("What is to be changed.", least=1, most=32_000),
        "images": many(
            record({"image_url": text("An address, or the picture itself as a `data:` URL."), "file_id": text("")}),
            "The pictures to work on; as a form: files named `image`, `image[]` or `image[0]`.",
        ),
        "mask": maybe(
            record(
                {"image_url": text("A PNG of the first picture's size, transparent where it may be changed.")},
                "As a form: a file.",
            )
        ),
        "n": maybe(whole("How many pictures.", low=1, high=10)),
        **COMMON,
        "input_fidelity": maybe(text("How closely what is given is kept.", of=("high", "low"))),
    },
    "A form (`multipart/form-data`) with files, or JSON that names them.",
    needs=("prompt",),
)
PAGE = Page(
    title="Edits of images",
    about="Pictures out of pictures, in OpenAI's form.",
    entries=(
        Entry(
            operation="openai.images.edits",
            title="Change pictures",
            about=(
                "One picture or several, and a mask that says where the first may be changed. A form with files, or JSON "
                "that names them. Streams have `image_edit.partial_image` and `image_edit.completed`."
            ),
            request=ref("ImageEditRequest"),
            answer=ref("ImageList"),
            examples=(
                Example(
                    title="A picture",
                    body={
                        "model": "gpt-image-1",
                        "prompt": "Make it night",
                        "images": [{"image_url": PICTURE}],
                    },
                ),
            ),
            shown=SHOWN,
        ),
    ),
    schemas={"ImageEditRequest": _REQUEST, "ImageList": ANSWER},
)
