"""What an address of a storage may be, and which variables say how S3-compatible ones are reached. Reads nothing itself."""

import re
from collections.abc import Mapping

from unigate.base.config_reader import ConfigError, Place, Secret

#: What reaches an S3-compatible storage -> the variables that say it, as its usual clients know them; the first counts.
_AWS: Mapping[str, tuple[str, ...]] = {
    "access_key_id": ("AWS_ACCESS_KEY_ID",),
    "secret_access_key": ("AWS_SECRET_ACCESS_KEY",),
    "session_token": ("AWS_SESSION_TOKEN",),
    "region": ("AWS_REGION", "AWS_DEFAULT_REGION"),
    "endpoint": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"),
    "virtual_hosted_style_request": ("AWS_VIRTUAL_HOSTED_STYLE_REQUEST",),
}
_ADDRESS = re.compile(r"file:///[^?#]*[^/?#][^?#]*|s3://[^/?#@]+(/[^?#]*)?")


def check_storage(url: str) -> None:
    """ConfigError where that is no address of a storage."""
    if not _ADDRESS.fullmatch(url):
        raise ConfigError(Place("storage.url"), "expected file:///PATH or s3://BUCKET/PREFIX")


def aws_access(variables: Mapping[str, str]) -> dict[str, Secret]:
    """What the environment says of S3-compatible storage: `endpoint`, `region`, `access_key_id`, ..."""
    found = {what: [variables[name] for name in names if variables.get(name)] for what, names in _AWS.items()}
    return {what: Secret(values[0]) for what, values in found.items() if values}
