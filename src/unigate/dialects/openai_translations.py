"""OpenAI's translation of speech: `POST /v1/audio/translations`: a transcript in English, by the rules of transcripts.

https://platform.openai.com/docs/api-reference/audio/createTranslation
"""

from unigate.dialects.openai_transcriptions import (
    BOUNDS,
    LARGEST,
    Edits,
    Seen,
    VendorError,
    Watch,
    add_cost,
    edit,
    estimate,
    input_bound,
    measure,
    pass_error,
    read,
    read_answer,
    read_error,
    used,
    write_error,
    write_stream_error,
)
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
    "measure",
    "pass_error",
    "read",
    "read_answer",
    "read_error",
    "used",
    "write_error",
    "write_stream_error",
]

OPERATIONS = (
    Operation(
        name="openai.translations",
        method="POST",
        path="/v1/audio/translations",
        dialect="openai_translations",
        family="transcriptions",
        body="form",
        body_bytes=LARGEST,
        form=BOUNDS,
        upstream_path="/audio/translations",
    ),
)
