"""A CRM for each test, servers for the whole run, and what connects to each transport in each era."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack
from typing import Any

import pytest
from mcp import Client

from crm_sandbox import create_app
from tests.interaction.connecting import ERAS, TRANSPORTS, Human, client_over, listening_server

Connect = Callable[..., AbstractAsyncContextManager[Client]]


@pytest.fixture
def sandbox() -> Iterator[Any]:
    """A CRM of its own for each test, with the sample company."""
    app = create_app()
    yield app
    app.close()


@pytest.fixture(scope="session")
def address() -> Iterator[Callable[[str], str]]:
    """Address of a listening server by transport; each is started when it is first asked for."""
    with ExitStack() as stack:
        started: dict[str, str] = {}

        def address_of(transport: str) -> str:
            if transport not in started:
                started[transport] = stack.enter_context(listening_server(transport))
            return started[transport]

        yield address_of


@pytest.fixture(params=[(transport, era) for transport in TRANSPORTS for era in ERAS], ids="-".join)
def connect(request: Any, address: Callable[[str], str]) -> Connect:
    """Connects a client, with or without a human who can be asked."""
    transport, era = request.param

    def connected(human: Human | None = None) -> AbstractAsyncContextManager[Client]:
        return client_over(transport, era, address, human)

    return connected
