"""OpenAI's variations of a picture: `POST /v1/images/variations`, a form with one picture.

https://platform.openai.com/docs/api-reference/images/createVariation
"""

from unigate.base.errors import BadRequest
from unigate.dialects import openai_pictures
from unigate.dialects.openai_body import Edits
from unigate.dialects.openai_errors import VendorError, pass_error, read_error, write_error
from unigate.dialects.openai_pictures import Seen, add_cost, edit, estimate, input_bound, read_answer
from unigate.spec.facts import Facts
from unigate.spec.form import Form, FormBounds
from unigate.spec.operation import Operation

__all__ = [
    "OPERATIONS",
    "Edits",
    "Seen",
    "VendorError",
    "add_cost",
    "edit",
    "estimate",
    "input_bound",
    "pass_error",
    "read",
    "read_answer",
    "read_error",
    "write_error",
]

#: The only model of the vendor's that makes them.
_USUAL = "dall-e-2"
OPERATIONS = (
    Operation(
        name="openai.images.variations",
        method="POST",
        path="/v1/images/variations",
        dialect="openai_image_variations",
        family="images",
        body="form",
        body_bytes=50 << 20,
        form=FormBounds(parts=32, fields=64 << 10),
        upstream_path="/images/variations",
    ),
)


def read(asked: Form) -> Facts:
    """What we need to know of a call; BadRequest (with `param`)."""
    found = openai_pictures.wish(asked)
    if not found.given:
        raise BadRequest("Missing required parameter: 'image'.", param="image", code="missing_required_parameter")
    return openai_pictures.facts_of(found, model=_USUAL)
