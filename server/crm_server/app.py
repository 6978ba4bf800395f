"""Puts the parts together: from settings to a caller of tools. The client is opened by the first call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from crm_server.call import Caller
from crm_server.folders import state_folder
from crm_server.gateway import Crm
from crm_server.metering import UNMETERED, Meter
from crm_server.organisation import Learned, NamedTables, chosen_tools, learn, nearest_table
from crm_server.policy.model import Principal
from crm_server.policy.reload import ReloadablePolicy
from crm_server.settings import Settings, SettingsError
from crm_server.state import Retention, State, open_memory, open_state
from crm_server.state.topics import ANYTHING, POLICY, TABLES
from crm_tools.catalogue import AnyTool
from crm_tools.standard import standard_tables
from crm_tools.tables import Table

if TYPE_CHECKING:
    from crm_server.dataverse.client import DataverseClient

NOTHING_LEARNED = Learned()
SANDBOX_ADDRESS = "https://sandbox.invalid"
"""Stands for the embedded sandbox in links and questions; the .invalid domain never resolves (RFC 2606)."""

_MOST_LISTENERS = 1_000

ASGIApp = Callable[..., Any]


class Listener(Protocol):
    """A client's end of a connection."""

    async def send_tool_list_changed(self) -> None:
        """Tell the client to list the tools again."""
        ...


@dataclass
class Application:
    """One server: its shared state and the caller of its tools."""

    crm: Crm
    caller: Caller
    connection: Connection
    policies: ReloadablePolicy
    _listeners: dict[int, Listener] = field(default_factory=dict)
    local: Principal = field(default_factory=Principal)
    """Who calls where the transport tells nobody apart."""
    named: NamedTables | None = None
    """The tables that the settings name, where they name any."""
    subscribers: Listener | None = None
    """Clients that subscribed to changes in the stateless era, told as one."""

    def listens(self, connection: int, client: Listener) -> None:
        """Remember a client that has listed the tools, to tell it if there are others; the last thousand."""
        self._listeners.pop(connection, None)
        self._listeners[connection] = client
        while len(self._listeners) > _MOST_LISTENERS:
            del self._listeners[next(iter(self._listeners))]

    async def reload_policy(self) -> str | None:
        """Read the policy anew, here and on other replicas, and tell clients if other tools are on offer.

        A policy that cannot be read changes nothing: the answer then says why.
        """
        if (problem := await self._reload_policy()) is None:
            await self.crm.state.tell(f"{POLICY} {self.crm.policy.digest}")
        return problem

    async def heard(self, news: str) -> None:
        """Follow what another replica has changed."""
        what = news.partition(" ")[0]
        if what in (POLICY, ANYTHING):
            await self._reload_policy()
        if what in (TABLES, ANYTHING) and self.named is not None:
            self.named.expire()
            if not self.named.needs_caller:
                await self._refresh_tables()

    async def _reload_policy(self) -> str | None:
        before = self.caller.listed()
        if (problem := self.policies.reload()) is not None:
            return problem
        self.crm.policy = self.policies.current
        await self._tell_if_changed(before)
        return None

    async def refresh_tables(self) -> None:
        """Read the named tables anew once in a while, and tell clients if other tools follow from it."""
        if await self._refresh_tables():
            await self.crm.state.tell(TABLES)

    async def _refresh_tables(self) -> bool:
        """Whether they have changed."""
        if self.named is None or not self.named.is_due():
            return False
        before = self.caller.listed()
        found = await self.named.learn(self.crm.client())
        if found is None:
            return False
        tables = {**standard_tables(), **found}
        if self.policies.reload(tables) is None:
            self.named.keep(found)
            self.crm.tables.clear()
            self.crm.tables.update(tables)
            self.crm.policy = self.policies.current
            self.caller.offer(self.named.tools(tables))
            await self._tell_if_changed(before)
        return True

    async def _tell_if_changed(self, before: tuple[AnyTool, ...]) -> None:
        if self.caller.listed() == before:
            return
        if self.subscribers is not None:
            await self.subscribers.send_tool_list_changed()
        for connection, client in tuple(self._listeners.items()):
            # Whether a client is still there is found out by telling it.
            try:
                await client.send_tool_list_changed()
            except Exception:  # noqa: BLE001 - each transport ends in a way of its own
                self._listeners.pop(connection, None)

    async def aclose(self) -> None:
        """Close the connection to the CRM and the state, as far as they were opened."""
        await self.connection.aclose()
        self.crm.state.close()


class Connection:
    """The Dataverse client, opened when it is first asked for: tools are listed without it."""

    def __init__(self, open_client: Callable[[], DataverseClient]) -> None:
        self._open_client = open_client

    @cached_property
    def client(self) -> DataverseClient:
        """The client."""
        return self._open_client()

    async def aclose(self) -> None:
        """Close the client, if it was opened."""
        if "client" in self.__dict__:
            await self.client.aclose()


def build_application(
    settings: Settings,
    *,
    sandbox: bool = False,
    asgi_app: ASGIApp | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    learned: Learned = NOTHING_LEARNED,
    meter: Meter = UNMETERED,
) -> Application:
    """An application for these settings. ``asgi_app`` takes the place of the network.

    ``learned`` are the named tables as the environment describes them, where they have been read already;
    else those of the last time serve, or their standard description.

    Raises:
        SettingsError: No environment to connect to, or the sign-in settings are incomplete.
        PolicyFileError: The policy cannot be read.
    """
    address = SANDBOX_ADDRESS if sandbox or asgi_app is not None else settings.url or ""
    named = NamedTables(settings, address, now) if settings.tables else None
    tables = {**standard_tables(), **({} if named is None else named.at_start(learned))}
    policies = ReloadablePolicy(settings.policy, tables)
    state = _state(settings, now, in_memory=sandbox or asgi_app is not None)
    if sandbox or asgi_app is not None:
        environment = "the embedded sandbox"
        connection = Connection(lambda: sandbox_client(asgi_app, tables, meter))
    else:
        connection = _environment(settings, tables, state, meter)
        environment = address
    crm = Crm(address, environment, tables, policies.current, lambda: connection.client, now, state)
    crm.page, crm.approve_on_page = _page(settings)
    crm.zone, crm.locale, crm.files = settings.time_zone, settings.locale, settings.files
    crm.meter = meter
    tools = chosen_tools(settings, tables)
    local = Principal(roles=settings.roles)
    return Application(crm, Caller(crm, tools), connection, policies, local=local, named=named)


def _page(settings: Settings) -> tuple[str | None, bool]:
    """The address of the page for approvals, and whether changes are approved nowhere else.

    Raises:
        SettingsError: They are to be approved on a page that is not there.
    """
    if settings.approve_on_page and settings.page_url is None:
        raise SettingsError(
            "DYNAMICS_APPROVE_ON_PAGE needs the page for approvals: set DYNAMICS_PUBLIC_URL and "
            "DYNAMICS_PAGE_CLIENT_ID, or DYNAMICS_CALLERS_FILE in a lab."
        )
    return settings.page_url, settings.approve_on_page


def _state(settings: Settings, now: Callable[[], datetime], *, in_memory: bool) -> State:
    """The state; for the embedded sandbox in memory, unless another place is set."""
    if settings.state is None and in_memory:
        return open_memory(now)
    return configured_state(settings, now)


def configured_state(settings: Settings, now: Callable[[], datetime]) -> State:
    """The state where the settings say, or in a file of this user."""
    key = None if settings.state_key is None else Path(settings.state_key)
    audit = None if settings.keep_audit_days is None else timedelta(days=settings.keep_audit_days)
    kept = Retention(audit=audit, changes=timedelta(days=settings.keep_changes_days))
    return open_state(settings.state, state_folder(), key, now, kept)


def _environment(
    settings: Settings, tables: Mapping[str, Table], state: State | None = None, meter: Meter = UNMETERED
) -> Connection:
    """The connection to the environment. ``state`` is for calls that are made on behalf of callers.

    Raises:
        SettingsError: There is none to connect to, or the sign-in settings are incomplete.
    """
    from crm_server.sign_in import auth_for

    url = settings.url
    if url is None:
        raise SettingsError(
            "No environment is set. Set DYNAMICS_URL (and the sign-in settings), "
            "or start with --sandbox to try it without a tenant."
        )
    make_auth = auth_for(settings, state)

    def open_environment() -> DataverseClient:
        from crm_server.dataverse.client import open_client

        return open_client(
            base_url=url,
            tables=tables,
            auth=make_auth(),
            private_network=settings.private_network,
            meter=meter,
        )

    return Connection(open_environment)


def sandbox_client(
    asgi_app: ASGIApp | None, tables: Mapping[str, Table], meter: Meter = UNMETERED
) -> DataverseClient:
    """A client of the embedded sandbox, or of the application that takes its place."""
    from httpx import ASGITransport

    from crm_server.dataverse.client import open_client

    if asgi_app is None:
        from crm_sandbox import create_app

        asgi_app = create_app()
    transport = ASGITransport(app=asgi_app)
    return open_client(base_url=SANDBOX_ADDRESS, tables=tables, transport=transport, meter=meter)


def needs_learning(settings: Settings, *, sandbox: bool) -> bool:
    """Whether the named tables have to be read before the tools can be listed: none are known from before."""
    if not settings.tables:
        return False
    return sandbox or not NamedTables(settings, settings.url or "", lambda: datetime.now(UTC)).is_kept()


async def learn_first(settings: Settings, asgi_app: ASGIApp | None = None) -> Learned:
    """The named tables, read over a connection of its own before anything is served.

    Raises:
        SettingsError: The environment does not have one of them; says the closest that it has.
    """
    tables = standard_tables()
    here = asgi_app is not None
    client = sandbox_client(asgi_app, tables) if here else _environment(settings, tables).client
    try:
        learned = await learn(client, settings.tables, tables)
        for name in learned.missing:
            raise _no_such_table(name, await nearest_table(client, name))
        return learned
    finally:
        await client.aclose()


def _no_such_table(name: str, nearest: str | None) -> SettingsError:
    hint = f"Did you mean {nearest}?" if nearest else "A table goes by its logical name, such as new_project."
    return SettingsError(f"DYNAMICS_TABLES names {name}, and this environment has no such table. {hint}")
