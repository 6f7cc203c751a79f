"""Prices and models that ship with the gateway, as values. The operator's own rows win: see `load.py`."""

from functools import cache

from unigate import data
from unigate.spec.price import Model, Price


@cache
def prices() -> tuple[Price, ...]:
    """All shipped prices."""
    return (*data.prices(), *data.operation_prices())


@cache
def models() -> tuple[Model, ...]:
    """What is known of models."""
    return tuple(data.models())
