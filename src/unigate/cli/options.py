"""Options that several commands take, written once: Typer reads them off a command's own signature."""

import inspect
from collections.abc import Callable
from typing import Any

Command = Callable[..., None]


def made_by(make: Callable[..., Any]) -> Callable[[Command], Command]:
    """Give a command the options of `make` in place of its parameter `made`, which is what `make` makes of them."""
    theirs = inspect.signature(make).parameters

    def decorate(command: Command) -> Command:
        signature = inspect.signature(command)

        def run(**options: Any) -> None:
            command(made=make(**{name: options.pop(name) for name in theirs}), **options)

        parameters: list[inspect.Parameter] = []
        for parameter in signature.parameters.values():
            parameters += theirs.values() if parameter.name == "made" else [parameter]
        run.__doc__ = command.__doc__
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        return run

    return decorate
