"""What the commands share: options, opening the database, and turning errors into exit codes."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import msgspec
import typer

from unigate.base.config_reader import ConfigError, Reader
from unigate.base.errors import BadRequest, Conflict, GatewayError
from unigate.base.settings import DEFAULT_DATA, Settings, load
from unigate.cli.output import complain

if TYPE_CHECKING:
    from unigate.manage.desk import Desk

R = TypeVar("R")

WANTING = 1
USAGE = 2

ConfigOption = Annotated[
    Path | None, typer.Option("--config", envvar="UNIGATE_CONFIG", help="The YAML file.", show_envvar=True)
]
DataOption = Annotated[
    Path, typer.Option("--data", envvar="UNIGATE_DATA", help="Where database, journal and secret lie.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
DATA = DEFAULT_DATA


def settings_of(config: Path | None, data: Path) -> Settings:
    """Settings of file and environment; tells once that a secret was made. From then on logging is set up."""
    from unigate.base import log

    log.configure("warning", json=False)  # to standard error, so that --json stays alone on standard output
    settings = load(config, data=data)
    if settings.made_secret is not None:
        sys.stderr.write(
            f"unigate: made a secret and kept it in {settings.made_secret}: keep it safe, and back it up\n"
        )
    return settings


def with_desk(
    config: Path | None, data: Path, work: "Callable[[Desk], Coroutine[Any, Any, R]]", *, statement: float = 2.0
) -> R:
    """Run a use case on the database, whose tables are made if there are none yet; `statement`: seconds for one."""
    from unigate.manage.desk import check_secret
    from unigate.store import migrate

    settings = settings_of(config, data)
    has, newest = migrate.version(settings.database.url)
    if has is None:
        migrate.migrate(settings.database.url)
    elif has != newest:
        raise Conflict(f"The database cannot be used: {migrate.wanting(has, newest)}.")

    async def checked(desk: "Desk") -> R:
        await check_secret(desk)
        return await work(desk)

    return at_desk(settings, checked, statement=statement)


def at_desk(settings: Settings, work: "Callable[[Desk], Coroutine[Any, Any, R]]", *, statement: float = 2.0) -> R:
    """Run a use case on the database as it is."""
    from unigate.manage.desk import Desk
    from unigate.providers import catalogue
    from unigate.store.open import connect

    async def run() -> R:
        db = connect(settings.database.url, statement=statement)
        try:
            desk = Desk(
                db=db,
                secret=settings.secret.reveal(),
                others=tuple(other.reveal() for other in settings.others),
                providers=catalogue(),
            )
            return await work(desk)
        finally:
            await db.close()

    return asyncio.run(run())


def parsed(name: str, text: str, kind: Any) -> Any:
    """An option's text as a type of the config file; a mistake ends the program as wrong usage."""
    return Reader(f"--{name}", {}).text(text, kind)


def given(name: str, text: str | None, kind: Any) -> Any:
    """`parsed`, or None where the option was not given."""
    return None if text is None else parsed(name, text, kind)


def named_option(text: str) -> tuple[str, Any]:
    """NAME=VALUE, the value as JSON or else as the text that it is; None for an empty one."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        fail(f"--option: expected NAME=VALUE, not {text!r}", USAGE)
    try:
        return name, msgspec.json.decode(value) if value else None
    except msgspec.DecodeError:
        return name, value


def secret_text(name: str, text: str | None) -> str | None:
    """An option that is a secret; `-` reads a line from standard input, so that it is in no list of processes."""
    if text != "-":
        return text
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        fail(f"--{name} -: nothing on standard input", USAGE)
    return line


def fail(message: str, code: int = WANTING) -> NoReturn:
    """End the program with one line on standard error."""
    complain(message)
    raise typer.Exit(code)


def guarded(run: Callable[[], None]) -> None:
    """Run the program; what goes wrong is one line and an exit code, never a stack trace."""
    try:
        run()
    except ConfigError as error:
        complain(str(error))
        sys.exit(USAGE)
    except GatewayError as error:
        detail = f" ({error.detail})" if error.detail else ""
        complain(f"{error.message}{detail}")
        sys.exit(USAGE if isinstance(error, BadRequest) else WANTING)
    except BrokenPipeError:
        sys.exit(WANTING)
    except KeyboardInterrupt:
        sys.exit(130)
