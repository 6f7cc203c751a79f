"""`unigate storage`."""

import typer

from unigate.cli.common import DATA, WANTING, ConfigOption, DataOption, JsonOption, settings_of, with_desk
from unigate.cli.output import print_json, say
from unigate.manage.storage import check_storage, move_files, storages

app = typer.Typer()


@app.callback()
def about() -> None:
    """Where files of tasks are kept."""


@app.command("check")
def check(*, config: ConfigOption = None, data: DataOption = DATA, json: JsonOption = False) -> None:
    """Write, read and delete a file where files of tasks are kept; exit code 1 where that fails."""
    settings = settings_of(config, data)
    at, keep = storages(settings), settings.storage.keep
    done = with_desk(config, data, lambda desk: check_storage(desk, at, keep=keep))
    if json:
        print_json(done)
        return
    say(f"{done.storage} can be written and read")
    if not done.keep:
        say("files stay with their providers (storage.keep is false)")
    if done.others:
        say(f"files lie elsewhere too ({', '.join(done.others)}): `unigate storage move` brings them here")


@app.command("move")
def move(*, config: ConfigOption = None, data: DataOption = DATA, json: JsonOption = False) -> None:
    """Move files that are kept elsewhere to the storage configured now; exit code 1 where some could not be."""
    at = storages(settings_of(config, data))
    done = with_desk(config, data, lambda desk: move_files(desk, at))
    if json:
        print_json(done)
    else:
        say(f"moved {done.files} files ({done.bytes} bytes) to {done.storage}")
        if done.missing or done.failed:
            say(f"{done.missing} are not where they should be, {done.failed} could not be moved")
    if done.missing or done.failed:
        raise typer.Exit(WANTING)
