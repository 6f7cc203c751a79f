"""`unigate price import`."""

from pathlib import Path
from typing import Annotated

import typer

from unigate.cli.common import DATA, USAGE, ConfigOption, DataOption, JsonOption, fail, with_desk
from unigate.cli.output import print_json, print_rows, say
from unigate.manage import shipped
from unigate.manage.price_import import Imported, import_prices
from unigate.manage.price_lists import read_price_list


def import_list(
    *,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="A `prices:` list in YAML or JSON, or a model_prices_and_context_window.json."
        ),
    ],
    apply: Annotated[bool, typer.Option("--apply", help="Set what is new or changed; else it is only shown.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Also models that no channel serves.")] = False,
    config: ConfigOption = None,
    data: DataOption = DATA,
    json: JsonOption = False,
) -> None:
    """Compare a list of prices with those that hold, and set them if told so."""
    try:
        source = file.read_bytes()
    except OSError as error:
        fail(f"{file} cannot be read: {error.strerror}", USAGE)
    given = read_price_list(source, str(file))
    found = with_desk(
        config,
        data,
        lambda desk: import_prices(desk, given, shipped.prices(), apply=apply, everything=everything),
        statement=30.0,
    )
    if json:
        print_json(found)
    else:
        _tell(found)


def _tell(found: Imported) -> None:
    changed = [diff for diff in found.changes if diff.change != "same"]
    if changed:
        print_rows(changed, ("change", "model", "operation", "when", "before", "after", "source"))
    same = len(found.changes) - len(changed)
    say(f"{len(changed)} differ, {same} are the same, {found.not_served} are of models that no channel serves")
    for what, why in found.left_out.items():
        say(f"left out: {what}: {why}")
    if changed and not found.applied:
        say("Nothing was set. Set them with --apply.")
