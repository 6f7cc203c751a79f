"""OpenAI's edits of pictures: `POST /v1/images/edits`, a form with pictures and a mask, or JSON that names them.

https://platform.openai.com/docs/api-reference/images/createEdit. What may be in the files is the vendor's to judge.
"""

from unigate.base.errors import BadRequest
from unigate.dialects import openai_pictures, openai_references
from unigate.dialects.openai_body import Edits
from unigate.dialects.openai_errors import VendorError, pass_error, read_error, write_error
from unigate.dialects.openai_pictures import Seen, add_cost, edit, estimate, input_bound, read_answer
from unigate.dialects.openai_pictures_watch import Watch, write_stream_error
from unigate.spec.facts import Facts
from unigate.spec.form import Form, FormBounds
from unigate.spec.operation import Operation

__all__ = [
    "OPERATIONS",
    "Edits",
    "Seen",
    "VendorError",
    "Watch",
    "add_cost",
    "edit",
    "estimate",
    "input_bound",
    "pass_error",
    "read",
    "read_answer",
    "read_error",
    "write_error",
    "write_stream_error",
]

OPERATIONS = (
    Operation(
        name="openai.images.edits",
        method="POST",
        path="/v1/images/edits",
        dialect="openai_image_edits",
        family="images",
        body="form",
        json_too=True,
        # Sixteen pictures of 50 MB each, and a mask.
        body_bytes=820 << 20,
        form=FormBounds(parts=64, fields=1 << 20),
        upstream_path="/images/edits",
    ),
)


def read(asked: bytes | Form) -> Facts:
    """What we need to know of a call; InvalidJson, BadRequest (with `param`)."""
    found = openai_pictures.wish(asked)
    if isinstance(asked, Form) and not found.given:
        raise BadRequest("Missing required parameter: 'image'.", param="image", code="missing_required_parameter")
    facts = openai_pictures.facts_of(found)
    if isinstance(asked, bytes) and (b"file_id" in asked or b"\\u00" in asked):
        facts.references = openai_references.find(asked)
    return facts
