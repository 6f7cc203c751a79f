"""`unigate usage`."""

import sys
from typing import Annotated

import typer

from unigate.base.settings import Moment
from unigate.cli.common import DATA, ConfigOption, DataOption, JsonOption, given, with_desk
from unigate.cli.output import plain, print_json, print_rows, say
from unigate.manage import usage, usage_csv
from unigate.manage.call_filter import CallFilter
from unigate.manage.desk import Desk
from unigate.manage.usage import Overview

app = typer.Typer(add_completion=False)

_FIGURES = ("calls", "input_tokens", "output_tokens", "charged", "refunded", "estimated", "total_us", "own_us")
#: Seconds for one sum over everything.
_LONG = 600.0
Since = Annotated[str | None, typer.Option(help="From this date or moment on.")]
Until = Annotated[str | None, typer.Option(help="Before this date or moment.")]
User = Annotated[str | None, typer.Option(help="Of this user.")]
Key = Annotated[str | None, typer.Option(help="Of this key: id, name, or USER/NAME.")]
Model = Annotated[str | None, typer.Option(help="Of this model.")]
Channel = Annotated[str | None, typer.Option(help="By this channel.")]
Operation = Annotated[str | None, typer.Option(help="Of this operation.")]
Ended = Annotated[str | None, typer.Option(help="That ended so: completed, failed, caller_left, ...")]


@app.callback(invoke_without_command=True)
def show_usage(
    *,
    step: Annotated[str, typer.Option(help="hour, day (of UTC), or all.")] = "day",
    by: Annotated[str | None, typer.Option(help=f"One of {', '.join(usage.DIMENSIONS)}.")] = None,
    top: Annotated[int, typer.Option(min=1, max=usage.MOST_VALUES, help="Values that are told apart.")] = 10,
    since: Since = None,
    until: Until = None,
    user: User = None,
    key: Key = None,
    model: Model = None,
    channel: Channel = None,
    operation: Operation = None,
    ended: Ended = None,
    csv: Annotated[bool, typer.Option("--csv", help="The single calls as CSV, in place of sums.")] = False,
    config: ConfigOption = None,
    data: DataOption = DATA,
    json: JsonOption = False,
) -> None:
    """Sum up what was used; the last 30 days where nothing is said."""
    wanted = CallFilter(
        user=user,
        key=key,
        operation=operation,
        model=model,
        channel=channel,
        ended=ended,
        since=given("since", since, Moment),
        until=given("until", until, Moment),
    )
    if csv:
        with_desk(config, data, lambda desk: _export(desk, wanted))
        return
    found = with_desk(
        config, data, lambda desk: usage.overview(desk, wanted, step=step, by=by, most=top), statement=_LONG
    )
    if json:
        print_json(found)
    else:
        _print(found, by)


async def _export(desk: Desk, wanted: CallFilter) -> None:
    async for piece in await usage_csv.export_usage(desk, wanted):
        sys.stdout.write(piece)


def _print(found: Overview, by: str | None) -> None:
    """A table of the parts, and their sum."""
    shown = plain(found)
    rows = [{"from": part["start"], by or "": part["name"] or part["value"], **part["sums"]} for part in shown["parts"]]
    columns = ["from", by] if by else ["from"]
    print_rows([*rows, {"from": "total", **shown["total"]}], (*columns, *_FIGURES))
    say(f"from {shown['since']} to {shown['until']}; times in microseconds, on average")
