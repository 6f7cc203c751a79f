"""Commands that look and tell: `explain`, `providers`, `doctor`, `version`, `ledger check`; and `migrate`.

Each loads what it needs: whoever asks for the version waits for no database.
"""

from typing import TYPE_CHECKING, Annotated

import typer

from unigate import __version__
from unigate.base.clock import now_ms
from unigate.base.errors import NotFound
from unigate.base.money import format_usd
from unigate.base.settings import DEFAULT_GROUP
from unigate.cli.common import (
    DATA,
    WANTING,
    ConfigOption,
    DataOption,
    JsonOption,
    at_desk,
    settings_of,
    with_desk,
)
from unigate.cli.output import print_json, print_rows, say, show_all

if TYPE_CHECKING:
    from unigate.billing.check import Finding as LedgerFinding
    from unigate.billing.check import Report
    from unigate.manage.desk import Desk
    from unigate.routing.explain import Explained
    from unigate.spec.operation import Operation

#: Seconds that one statement over all of the ledger may take.
_WHOLE_LEDGER = 3600.0

app = typer.Typer()
ledger_app = typer.Typer()


@app.command("explain")
def explain(
    *,
    model: Annotated[str, typer.Argument(metavar="MODEL")],
    group: Annotated[str, typer.Option(help="For users of this group.")] = DEFAULT_GROUP,
    operation: Annotated[str, typer.Option(help="For this operation.")] = "openai.chat",
    config: ConfigOption = None,
    data: DataOption = DATA,
    json: JsonOption = False,
) -> None:
    """Say which channels would serve a model, in which order, and why the others would not.

    Where a gateway runs on the data directory, what it has learnt of its channels' health counts.
    """
    from unigate.manage import figures, groups, load
    from unigate.routing.choice import Router
    from unigate.routing.explain import explain as explained
    from unigate.routing.snapshot import restore

    async def look(desk: "Desk") -> "list[Explained]":
        await groups.show_group(desk, group)
        router = Router(await load.load_channels(desk.db, desk.vault, desk.providers))
        if health := figures.health(data):
            restore(router, health, now_ms(), in_flight=True)
        return explained(router, model, group, _operation(operation))

    found = with_desk(config, data, look)
    show_all(found, ("name", "offered", "text", "upstream_model", "priority", "reason"), json=json)
    if not any(one.offered for one in found):
        raise typer.Exit(WANTING)


@app.command("providers")
def providers(*, json: JsonOption = False) -> None:
    """List the providers that a channel may name."""
    from unigate.providers import catalogue

    found = [
        {
            "name": provider.name,
            "title": provider.title,
            "base_url": provider.base_url,
            "also_at": list(provider.also_at),
            "speaks": list(provider.speaks),
            "needs": list(provider.needs),
        }
        for provider in catalogue().values()
    ]
    show_all(found, ("name", "title", "base_url", "speaks", "needs"), json=json)


@app.command("doctor")
def doctor(*, config: ConfigOption = None, data: DataOption = DATA, json: JsonOption = False) -> None:
    """Look for what should be put right; exit code 1 where something keeps calls from being served."""
    from unigate.manage.doctor import examine
    from unigate.manage.storage import storages

    settings = settings_of(config, data)
    storage = storages(settings), settings.storage.keep
    found = at_desk(settings, lambda desk: examine(desk, settings.database.url, settings.data, storage))
    if json:
        print_json(found)
    elif found:
        print_rows(found, ("level", "about", "message"))
    else:
        say("all is well")
    if any(finding.level == "problem" for finding in found):
        raise typer.Exit(WANTING)


@app.command("migrate")
def migrate(*, config: ConfigOption = None, data: DataOption = DATA, json: JsonOption = False) -> None:
    """Bring the database to this version's schema; a new one is made where there is none."""
    from unigate.store import migrate as migrations

    settings = settings_of(config, data)
    before, newest = migrations.version(settings.database.url)
    migrations.migrate(settings.database.url)
    if json:
        print_json({"from": before, "to": newest})
    else:
        say(f"the schema is {newest}" + ("" if before == newest else f", it was {before or 'empty'}"))


@app.command("version")
def version(*, json: JsonOption = False) -> None:
    """Print the version."""
    if json:
        print_json({"version": __version__})
    else:
        say(f"unigate {__version__}")


@ledger_app.command("check")
def ledger_check(*, config: ConfigOption = None, data: DataOption = DATA, json: JsonOption = False) -> None:
    """Recompute every balance from what was appended, and compare; exit code 1 where they differ."""
    from unigate.billing.check import check
    from unigate.manage.ledger import tell

    async def checked(desk: "Desk") -> "Report":
        report = await check(desk.db)
        await tell(desk, report)
        return report

    report = with_desk(config, data, checked, statement=_WHOLE_LEDGER)
    if json:
        print_json(
            {
                "sound": report.sound,
                "findings": [_in_usd(finding) for finding in report.findings],
                "open_holds": report.open_holds,
                "held": format_usd(report.held),
                "in_use": format_usd(report.in_use),
            }
        )
    else:
        if report.findings:
            print_rows([_in_usd(finding) for finding in report.findings], ("rule", "subject", "says", "adds_up_to"))
        held, in_use = format_usd(report.held), format_usd(report.in_use)
        say("the books agree" if report.sound else f"{len(report.findings)} findings")
        say(f"{report.open_holds} open holds keep {held} USD, of which {in_use} are in use or not moved yet")
    if not report.sound:
        raise typer.Exit(WANTING)


def _in_usd(finding: "LedgerFinding") -> dict[str, str]:
    return {
        "rule": finding.rule,
        "subject": finding.subject,
        "says": format_usd(finding.says),
        "adds_up_to": format_usd(finding.adds_up_to),
    }


def _operation(name: str) -> "Operation":
    from unigate.dialects import operations

    for row in operations():
        if row.name == name:
            return row
    raise NotFound(f"There is no operation {name!r}.")
