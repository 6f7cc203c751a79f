"""The secret that a data directory keeps where neither file nor environment names one."""

import os
import secrets
from pathlib import Path

from unigate.base.config_reader import ConfigError, Place, Secret


def kept_secret(data: Path) -> tuple[Secret, Path | None]:
    """The secret of DATA/secret, and its place if it was made just now; ConfigError where it cannot be had.

    Of several processes that make one at once, all have the same.
    """
    path = data / "secret"
    if path.exists():
        return Secret(_read(path)), None
    made = secrets.token_urlsafe(32)
    draft = data / f".secret-{secrets.token_hex(8)}"
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(made + "\n")
        # A link appears whole or not at all, and never replaces what another process has just made.
        os.link(draft, path)
    except FileExistsError:
        return Secret(_read(path)), None
    except OSError as error:
        raise ConfigError(Place(str(path)), f"cannot be written: {error.strerror}") from None
    finally:
        draft.unlink(missing_ok=True)
    return Secret(made), path


def _read(path: Path) -> str:
    try:
        text = path.read_text().strip()
    except OSError as error:
        raise ConfigError(Place(str(path)), f"cannot be read: {error.strerror}") from None
    if not text:
        raise ConfigError(Place(str(path)), "is empty; remove it to have a secret made, or restore the old one")
    return text
