"""How a form goes on the wire (`multipart/form-data`, RFC 7578), and how it is told where its files are not wanted.

Names are written as browsers do it: https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#multipart-form-data
"""

import msgspec

from unigate.spec.form import FilePart, Form, Part

_ESCAPES = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})


def segments(form: Form, boundary: bytes) -> tuple[bytes | FilePart, ...]:
    """The body in order: bytes as they are, and files whose bytes stand in their place. `boundary` must be nobody's guess."""
    found: list[bytes | FilePart] = []
    text = b""
    for part in form.parts:
        text += b"--%b\r\n%b\r\n" % (boundary, _head(part))
        if isinstance(part, Part):
            text += part.value
        else:
            found += (text, part)
            text = b""
        text += b"\r\n"
    return (*found, text + b"--%b--\r\n" % boundary)


def content_type(boundary: bytes) -> bytes:
    """The content type of a body with this boundary."""
    return b"multipart/form-data; boundary=" + boundary


def described(form: Form) -> bytes:
    """The form as JSON: fields as text, and of files what is said of them."""
    told: dict[str, object] = {}
    for part in form.parts:
        if isinstance(part, Part):
            value: object = part.value.decode("utf-8", "replace")
        else:
            value = {"filename": part.filename, "content_type": part.media_type, "bytes": part.size}
        if part.name not in told:
            told[part.name] = value
        elif isinstance(before := told[part.name], list):
            before.append(value)
        else:
            told[part.name] = [before, value]
    return msgspec.json.encode(told)


def _head(part: Part | FilePart) -> bytes:
    """The headers of a part, each with its line end."""
    head = f'Content-Disposition: form-data; name="{part.name.translate(_ESCAPES)}"'
    if isinstance(part, FilePart):
        head += f'; filename="{part.filename.translate(_ESCAPES)}"'
    media_type = part.media_type or ("application/octet-stream" if isinstance(part, FilePart) else "")
    told = f"{head}\r\n" + (f"Content-Type: {media_type}\r\n" if media_type else "")
    return told.encode("utf-8", "replace")
