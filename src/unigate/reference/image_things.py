"""What the pages about pictures have in common."""

from unigate.reference import shared
from unigate.reference.schema import flag, many, maybe, record, text, whole

COMMON = {
    "size": maybe(text("`auto`, or width and height: `1024x1024`. Models that take ratios get the nearest one.")),
    "quality": maybe(text("`low`, `medium`, `high`, `auto`; `standard`, `hd` with `dall-e-3`.")),
    "background": maybe(text("With GPT models.", of=("transparent", "opaque", "auto"))),
    "output_format": maybe(text("`png`, `jpeg` or `webp`, with models that can be told.", least=1)),
    "output_compression": maybe(whole("Of `jpeg` and `webp`.", low=0, high=100)),
    "response_format": maybe(
        text(
            "As addresses, or as the pictures themselves. GPT models give pictures only: their addresses are links of the "
            "gateway, where it keeps files.",
            of=("url", "b64_json"),
        )
    ),
    "stream": maybe(flag("Events in place of an answer, with GPT models.")),
    "partial_images": maybe(whole("How often a picture is shown before it is done, in a stream.", low=0, high=3)),
    "user": shared.USER,
}
_USAGE = record(
    {
        "input_tokens": whole("What went in.", low=0),
        "output_tokens": whole("What came out.", low=0),
        "total_tokens": whole("Both.", low=0),
    },
    "With models that count tokens, which are charged by them.",
)
ANSWER = record(
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
        "usage": _USAGE,
        "output_format": text("With base64: `png`, `jpeg`, `webp`, where all are of one."),
        "size": text("With base64: width and height, where all have the same."),
    },
    needs=("created", "data"),
)
SHOWN = {
    "created": 1787220000,
    "data": [{"url": "https://ai.example.com/files/ast_01J9Z6V3Q9.webp?until=1790003600&sig=0a1b"}],
}
#: A picture, small enough for an example.
PICTURE = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAYAAAAf8/9hAAAAGUlEQVR42mM4oaHxnxLMMGrAqAGjBgwXAwCpMhcfTAD1DwAAAABJ"
    "RU5ErkJggg=="
)
