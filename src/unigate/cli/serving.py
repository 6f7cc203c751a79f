"""Commands that serve: `serve`, `demo`, `sandbox`. They read settings; `run.py` does the rest."""

from typing import Annotated

import typer

from unigate.base.settings import with_server
from unigate.cli.common import DATA, ConfigOption, DataOption, JsonOption, settings_of
from unigate.sandbox.options import Options

app = typer.Typer()

_USUAL = Options()
Host = Annotated[str | None, typer.Option(help="Address to listen on.")]
Port = Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")]
Workers = Annotated[int | None, typer.Option(min=1, max=256, help="Processes that serve.")]


@app.command("serve")
def serve(
    *,
    config: ConfigOption = None,
    host: Host = None,
    port: Port = None,
    workers: Workers = None,
    data: DataOption = DATA,
    json: JsonOption = False,
) -> None:
    """Run the gateway. The file is applied first; options win over the environment, and that over the file."""
    settings = with_server(settings_of(config, data), host=host, port=port, workers=workers)
    from unigate.cli import run  # takes its time; what is wrong with the settings is told before

    raise typer.Exit(run.serve(settings, as_json=json))


@app.command("demo")
def demo(
    *,
    host: Host = None,
    port: Port = None,
    workers: Workers = None,
    data: DataOption = DATA,
    json: JsonOption = False,
) -> None:
    """Run the gateway with a sandbox in place of vendors, a user with balance, and a key."""
    settings = settings_of(None, data)
    settings = with_server(settings, host=host, port=port, workers=workers, allow_private_upstreams=True)
    from unigate.cli import run

    raise typer.Exit(run.demo(settings, as_json=json))


@app.command("sandbox")
def sandbox(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 9000,
    mail_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of its mail server (SMTP); 0 takes a free one.")
    ] = 0,
    tokens_per_second: Annotated[
        float, typer.Option(min=0, help="How fast answers are written, where their model does not say; 0: at once.")
    ] = _USUAL.tokens_per_second,
    task_speed: Annotated[
        float, typer.Option(min=0.001, help="How many times as fast as usual tasks are done.")
    ] = _USUAL.task_speed,
    json: JsonOption = False,
) -> None:
    """Run the imitation vendors alone."""
    from unigate.cli import run

    raise typer.Exit(
        run.sandbox(host, port, mail_port, as_json=json, tokens_per_second=tokens_per_second, task_speed=task_speed)
    )
