"""`unigate secret`."""

import typer

from unigate.cli.common import DATA, ConfigOption, DataOption, JsonOption, with_desk
from unigate.cli.output import print_json, say
from unigate.manage.secret import reseal

app = typer.Typer()


@app.callback()
def about() -> None:
    """The secret that seals credentials at rest."""


@app.command("rotate")
def rotate(*, config: ConfigOption = None, data: DataOption = DATA, json: JsonOption = False) -> None:
    """Seal with today's secret what was sealed with one of `other_secrets`."""
    done = with_desk(config, data, reseal, statement=30.0)
    if json:
        print_json(done)
        return
    say(
        f"sealed anew: {done.credentials} credentials, options of {done.options} channels,"
        f" secrets of {done.webhooks} webhooks"
    )
    if done.keys_left:
        say(f"{done.keys_left} keys are still known by an older secret: they are taken over when they are used next")
