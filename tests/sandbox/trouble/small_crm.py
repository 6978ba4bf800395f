"""A tiny application with rows in a list, a clock that is set by hand, and clients of them."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import httpx
import uvicorn

from crm_sandbox.trouble import FaultScript, Trouble
from crm_sandbox.trouble.serving import HangUpProtocol

API = "/api/data/v9.2/"
START = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)


class SmallCrm:
    """POST stores the body as a row; GET answers the rows, with a nextLink; DELETE answers 204."""

    def __init__(self):
        self.rows = []

    async def __call__(self, scope, receive, send):
        if scope["method"] == "POST":
            self.rows.append(json.loads(await whole_body(receive)))
        status, content = {
            "POST": (201, self.rows[-1:]),
            "GET": (200, {"value": self.rows, "@odata.nextLink": f"http://crm.test{API}rows?$skiptoken=1"}),
        }.get(scope["method"], (204, None))
        answer = b"" if content is None else json.dumps(content).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers if answer else []})
        await send({"type": "http.response.body", "body": answer})


async def whole_body(receive):
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


class Clock:
    """Tells the time it was set to; sleeping sets it forward at once."""

    def __init__(self):
        self.time = START
        self.slept = []

    def __call__(self):
        return self.time

    def forward(self, seconds):
        self.time += timedelta(seconds=seconds)

    async def sleep(self, seconds):
        self.slept.append(seconds)
        self.forward(seconds)


def script(*faults, seed=0):
    return FaultScript.from_json(json.dumps({"seed": seed, "faults": list(faults)}))


def client_of(app, **options):
    transport = httpx.ASGITransport(app=app, **options)
    return httpx.AsyncClient(transport=transport, base_url=f"http://crm.test{API}")


def troubled(*faults, clock=None, app=None, **options):
    clock = clock or Clock()
    app = SmallCrm() if app is None else app
    return Trouble(app, faults=script(*faults), now=clock, **{"sleep": clock.sleep, **options})


@contextmanager
def served(app) -> Iterator[httpx.Client]:
    """The application on a port of this machine, by a server that can drop connections."""
    config = uvicorn.Config(app, http=HangUpProtocol, lifespan="off", log_config=None, ws="none")
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}{API}"
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            with httpx.Client(base_url=address, timeout=10, trust_env=False) as client:
                yield client
        finally:
            server.should_exit = True
            thread.join(10)
    assert not thread.is_alive()
