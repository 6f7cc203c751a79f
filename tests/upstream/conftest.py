"""Every test of the client runs on uvloop and on asyncio's own loop."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import trustme
import uvloop

from unigate.upstream import Client, ClientLimits


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    """A client that looks at deadlines often."""
    made = Client(ClientLimits(sweep_seconds=0.02))
    yield made
    await made.close()
    assert made.open_connections == 0


@pytest.fixture
async def make_client() -> AsyncIterator[Callable[..., Client]]:
    """Clients with other limits or settings."""
    made: list[Client] = []

    def make(**options: Any) -> Client:
        settings = {name: options.pop(name) for name in ("ca_file", "lookup") if name in options}
        made.append(Client(ClientLimits(**{"sweep_seconds": 0.02, **options}), **settings))
        return made[-1]

    yield make
    for one in made:
        await one.close()
        assert one.open_connections == 0


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)
