"""What Replicate's clients ask about models and the account, written from what we know.

https://replicate.com/docs/reference/http#models.get. `run("owner/name:version")` of the official clients reads the schema
of a version before it trusts an output.
"""

from collections.abc import Mapping, Sequence

import msgspec

from unigate.dialects.replicate_known import Known

_encode = msgspec.json.encode
#: What the vendor writes for official models, whose versions are its own affair.
HIDDEN = "hidden"
#: Since this one lists that grow are marked as such in the schema.
_COG = "0.9.0"


def write_model(name: str, known: Known | None) -> bytes:
    """A model that a key may use; with a version where we know its schema."""
    owner, _, short = name.partition("/")
    return _encode(
        {
            "url": f"https://replicate.com/{name}",
            "owner": owner,
            "name": short,
            "description": known.about if known is not None else None,
            "visibility": "public",
            "github_url": None,
            "paper_url": None,
            "license_url": None,
            "run_count": 0,
            "cover_image_url": None,
            "default_example": None,
            "latest_version": _version(known) if known is not None else None,
            "is_official": known is not None and not known.version,
        }
    )


def write_versions(known: Known | None) -> bytes:
    """The versions of a model that we know."""
    found = [_version(known)] if known is not None and known.version else []
    return _encode({"previous": None, "next": None, "results": found})


def write_version(known: Known) -> bytes:
    """One version."""
    return _encode(_version(known))


def write_account(username: str, name: str) -> bytes:
    """The account that a key belongs to."""
    return _encode({"type": "user", "username": username, "name": name, "github_url": ""})


def write_files(files: Sequence[Mapping[str, object]], following: str | None) -> bytes:
    """A page of uploaded files."""
    return _encode({"previous": None, "next": following, "results": list(files)})


def openapi_schema(known: Known) -> dict[str, object]:
    """Input and output of a model as the clients read them."""
    needed = [name for name, field in known.fields.items() if field.needed]
    properties = {name: field.schema(name, place) for place, (name, field) in enumerate(known.fields.items())}
    return {
        "openapi": "3.0.2",
        "info": {"title": "Cog", "version": "0.1.0"},
        "paths": {},
        "components": {
            "schemas": {
                "Input": {
                    "title": "Input",
                    "type": "object",
                    "properties": properties,
                    **({"required": needed} if needed else {}),
                },
                "Output": known.output_schema(),
            }
        },
    }


def _version(known: Known) -> dict[str, object]:
    return {
        "id": known.version or HIDDEN,
        "created_at": known.created_at,
        "cog_version": _COG,
        "openapi_schema": openapi_schema(known),
    }
