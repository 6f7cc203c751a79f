"""`unigate code`."""

from typing import Annotated

import typer

from unigate.base.settings import Moment, Usd
from unigate.cli.common import (
    DATA,
    USAGE,
    ConfigOption,
    DataOption,
    JsonOption,
    fail,
    given,
    parsed,
    secret_text,
    with_desk,
)
from unigate.cli.output import print_json, print_rows, print_view, say
from unigate.manage import codes
from unigate.manage.codes import CodeFilter, CodeView
from unigate.manage.desk import Desk
from unigate.store.pages import Page

app = typer.Typer()

_COLUMNS = ("id", "last4", "batch", "amount", "state", "expires_at", "user_id", "redeemed_at", "created_at")
#: Read at once of a list that is printed whole.
_ROWS = 1000
CodeId = Annotated[str | None, typer.Argument(metavar="[ID]", help="As `code list` shows it.")]
BatchName = Annotated[str | None, typer.Option("--batch", help="Name of a batch.")]


@app.command("create")
def create_codes(
    *,
    amount: Annotated[str, typer.Argument(metavar="USD", help="What each code is worth, such as 25 or 0.5.")],
    count: Annotated[int, typer.Option(min=1, max=codes.MOST, help="How many.")] = 1,
    expires: Annotated[str | None, typer.Option(help="A date from which they are worth nothing.")] = None,
    batch: BatchName = None,
    config: ConfigOption = None,
    data: DataOption = DATA,
    json: JsonOption = False,
) -> None:
    """Make codes; they are shown this once."""
    nano, moment = parsed("usd", amount, Usd), given("expires", expires, Moment)
    made = with_desk(
        config, data, lambda desk: codes.create_codes(desk, nano, count=count, expires_at=moment, batch=batch)
    )
    if json:
        print_json(made)
    else:
        print_rows(made.codes, ("code", "id"))
        say(f"batch {made.batch}; keep them: they are shown this once")


@app.command("list")
def list_codes(
    *,
    state: Annotated[str | None, typer.Option(help=f"One of {', '.join(codes.STATES)}.")] = None,
    batch: BatchName = None,
    user: Annotated[str | None, typer.Option(help="Those that this user redeemed.")] = None,
    config: ConfigOption = None,
    data: DataOption = DATA,
    json: JsonOption = False,
) -> None:
    """List codes, newest first."""
    wanted = CodeFilter(state=state, batch=batch, user=user)

    async def every(desk: Desk) -> list[CodeView]:
        found, page = [], Page(limit=_ROWS)
        while True:
            some = await codes.list_codes(desk, page, wanted)
            found += some.rows
            if some.next is None:
                return found
            page = Page(limit=_ROWS, after=some.next)

    views = with_desk(config, data, every)
    if json:
        print_json(views)
    else:
        print_rows(views, _COLUMNS)


@app.command("withdraw")
def withdraw(
    *,
    id: CodeId = None,
    batch: BatchName = None,
    config: ConfigOption = None,
    data: DataOption = DATA,
    json: JsonOption = False,
) -> None:
    """Withdraw a code, or all of a batch that nobody has redeemed."""
    if (id is None) is (batch is None):
        fail("name either a code or --batch", USAGE)
    if batch is not None:
        count = with_desk(config, data, lambda desk: codes.withdraw_batch(desk, batch))
        if json:
            print_json({"batch": batch, "count": count})
        else:
            say(f"withdrew {count} codes")
        return
    view = with_desk(config, data, lambda desk: codes.withdraw_code(desk, id or ""))
    (print_json if json else print_view)(view)


@app.command("redeem")
def redeem(
    *,
    user: Annotated[str, typer.Argument(metavar="USER", help="Name, id or e-mail address.")],
    code: Annotated[str, typer.Argument(metavar="CODE", help="The code; - reads it from standard input.")],
    config: ConfigOption = None,
    data: DataOption = DATA,
    json: JsonOption = False,
) -> None:
    """Give a user what a code is worth."""
    text = secret_text("code", code) or ""
    found = with_desk(config, data, lambda desk: codes.redeem(desk, user, text))
    (print_json if json else print_view)(found)
