"""Documents and pictures of a prompt that stand in files: given with the call, or kept by the vendor."""

from collections.abc import Callable

from unigate.sandbox.brain import documents, pictures
from unigate.sandbox.brain.prompt import File, Picture
from unigate.sandbox.forms import checks

#: Gives name and bytes of a file that the vendor keeps, by its id; the parameter that names it stands in the refusal.
Library = Callable[[str, str], tuple[str, bytes]]


def document(name: str, data: bytes) -> File:
    """A document, read."""
    return File(name, len(data), documents.text(data))


def picture(data: bytes, param: str, detail: str) -> Picture:
    """A picture out of a file."""
    measured = pictures.measure(data)
    if measured is None:
        told = "Invalid file: expected a png, jpeg, gif or webp image."
        raise checks.refuse(told, param, "invalid_image_format")
    return Picture(*measured, detail)
