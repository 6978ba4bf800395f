"""A server with its page in this process, and browsers that keep cookies but run no scripts."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from starlette.types import ASGIApp

from crm_sandbox import create_app
from crm_server.app import Application, build_application
from crm_server.approval import Plan
from crm_server.policy.model import Decision, Principal
from crm_server.settings import Settings
from crm_server.stdio import MAX_MESSAGE_BYTES
from crm_server.web.application import Doors, web_application
from crm_server.web.configured import team_of
from crm_server.web.health import Health
from crm_server.web.options import WebOptions, allowed_hosts, allowed_origins
from crm_server.web.turns import Bounds, Load
from crm_tools.errors import ApprovalError

PUBLIC = "https://crm.example"
TOKENS = {
    "ann": "token-of-ann-0123456789",
    "bob": "token-of-bob-0123456789",
    "cid": "token-of-cid-0123456789",
    "dot": "token-of-dot-0123456789",
    "eve": "token-of-eve-0123456789",
    "fay": "token-of-fay-0123456789",
}
_CALLERS = {
    "ann": '["crm.read", "crm.write"]',
    "bob": '["crm.read", "crm.write", "crm.approve"]',
    "cid": '["crm.read", "crm.approve"]',
    "dot": '["crm.read", "crm.write"]\nroles = ["CRM.Auditor"]',
    "eve": '["crm.read"]\nroles = ["CRM.Auditor"]',
    "fay": '["crm.read", "crm.write", "crm.approve"]\nroles = ["Trainee"]',
}


def callers_file(folder: Path) -> Path:
    """Ann's assistant asks, Bob approves, Eve may only look.

    Cid approves and does not write, Dot writes and only looks. Fay does what Bob does, as a trainee.
    """
    lines = [
        f'[{name}]\nsha256 = "{hashlib.sha256(token.encode()).hexdigest()}"\nscopes = {_CALLERS[name]}\n'
        for name, token in TOKENS.items()
    ]
    path = folder / "callers.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


class Silent:
    """A client that asks nobody."""

    async def approve(self, plan: Plan, _decision: Decision) -> None:
        raise ApprovalError(plan.otherwise)


@dataclass
class Page:
    """What a browser shows."""

    response: httpx.Response
    text: str = field(init=False)

    def __post_init__(self) -> None:
        self.text = self.response.text

    @property
    def status(self) -> int:
        return self.response.status_code

    @property
    def token(self) -> str:
        """The token in its forms."""
        found = re.search(r'name="token" value="([^"]+)"', self.text)
        assert found is not None, self.text
        return found[1]


class Browser:
    """A browser at the page."""

    def __init__(self, app: ASGIApp, public: str = PUBLIC) -> None:
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=public)
        self.origin = public

    async def open(self, path: str, **headers: str) -> Page:
        return Page(await self.http.get(f"/approvals{path}", headers=headers))

    async def send(self, path: str, form: Mapping[str, str], origin: str | None = "", **headers: str) -> Page:
        """Send a form, from the page itself unless another origin is given; None sends none."""
        sent = {**headers, **({} if origin is None else {"Origin": origin or self.origin})}
        return Page(await self.http.post(f"/approvals{path}", data=dict(form), headers=sent))

    async def sign_in(self, who: str) -> Page:
        """Paste the token of a caller."""
        form = {"token": (await self.open("/sign-in")).token, "lab_token": TOKENS[who]}
        return await self.send("/sign-in", form)

    async def decide(self, plan: str, decision: str, reason: str = "") -> Page:
        page = await self.open(f"/plans/{plan}")
        form = {"token": page.token, "decision": decision, "reason": reason}
        return await self.send(f"/plans/{plan}/decision", form)

    def cookie(self, name: str) -> str | None:
        return next((item.value for item in self.http.cookies.jar if item.name == name), None)


@dataclass
class House:
    """``moment`` is the time that the server takes it for."""

    application: Application
    app: ASGIApp
    moment: datetime
    public: str = PUBLIC

    def browser(self) -> Browser:
        return Browser(self.app, self.public)

    async def call(self, tool: str, who: str = "ann", **arguments: Any) -> dict[str, Any]:
        """A call of somebody's assistant."""
        answer = await self.application.caller.call(tool, arguments, Principal(who), Silent())
        return dict(answer.content)

    async def new_lead(self, who: str = "ann", **values: Any) -> str:
        created = await self.call("create_lead", who, **{"lastname": "Quill", "subject": "Pens", **values})
        key: str = created["record"]["leadid"]
        return key

    async def asked_to_delete(self, key: str, who: str = "ann") -> str:
        """The id of the plan that waits then."""
        refused = await self.call("delete_lead", who, leadid=key)
        return str(refused["error"]["message"]).partition("waits as plan ")[2].partition(" ")[0]

    async def waiting_plan(self, who: str = "ann", **values: Any) -> str:
        return await self.asked_to_delete(await self.new_lead(who, **values), who)

    def later(self, **passed: float) -> None:
        self.moment += timedelta(**passed)

    async def events(self, kind: str) -> list[dict[str, Any]]:
        from crm_server.state import chain

        pages = chain.everything(self.application.crm.state.run)
        return [event async for page in pages for event in page if event["kind"] == kind]


@asynccontextmanager
async def a_house(sandbox: Any = None, **settings: Any) -> AsyncIterator[House]:
    """A server on a sandbox, for a team."""
    crm = create_app(accounts=5) if sandbox is None else sandbox
    chosen = Settings(**{"public_url": PUBLIC, **settings})
    clock: list[House] = []
    application = build_application(
        chosen, asgi_app=crm, now=lambda: clock[0].moment if clock else datetime.now(UTC)
    )
    team = team_of(chosen, application, "/mcp")
    assert team is not None
    public = chosen.public_url or ""
    options = WebOptions(public_url=public)
    hosts = allowed_hosts(options, "127.0.0.1", 443)
    doors = Doors(hosts, allowed_origins(options, hosts), (), team.tokens, team.resource, team.needs)
    app = web_application({}, doors, Health({}), Bounds(), Load(), MAX_MESSAGE_BYTES, pages=team.pages)
    house = House(application, app, datetime.now(UTC), public)
    clock.append(house)
    try:
        yield house
    finally:
        await application.aclose()
        if sandbox is None:
            crm.close()
