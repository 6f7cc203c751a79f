"""What Replicate tells of models, versions, deployments and accounts.

https://replicate.com/docs/reference/http#models.get
"""

from unigate.sandbox.brain import seeds
from unigate.sandbox.forms.replicate_files import username
from unigate.sandbox.forms.replicate_models import DEPLOYMENTS, Model
from unigate.sandbox.serving.answer import Object

_SINCE = "2025-01-15T12:00:00.000000Z"
_COG = "0.14.0"


def model(one: Model) -> Object:
    """A model with its latest version."""
    owner, _, name = one.name.partition("/")
    return {
        "url": f"https://replicate.com/{one.name}",
        "owner": owner,
        "name": name,
        "description": one.description,
        "visibility": "public",
        "github_url": None,
        "paper_url": None,
        "license_url": None,
        "run_count": 1000 + seeds.seed(one.name) % 1_000_000,
        "cover_image_url": None,
        "default_example": None,
        "is_official": one.official,
        "latest_version": version(one),
    }


def version(one: Model) -> Object:
    """The version of a model."""
    return {"id": one.version, "created_at": _SINCE, "cog_version": _COG, "openapi_schema": one.schema()}


def deployment(name: str) -> Object | None:
    """A deployment, None where there is none of that name (`owner/name`)."""
    found = DEPLOYMENTS.get(name)
    if found is None:
        return None
    owner, _, short = name.partition("/")
    release = {
        "number": 1,
        "model": found.name,
        "version": found.version,
        "created_at": _SINCE,
        "created_by": {"type": "organization", "username": owner, "name": owner, "github_url": None},
        "configuration": {"hardware": "gpu-l40s", "min_instances": 0, "max_instances": 1},
    }
    return {"owner": owner, "name": short, "current_release": release}


def account(credential: str) -> Object:
    """The account behind a token."""
    name = username(credential)
    return {"type": "user", "username": name, "name": name, "github_url": ""}
