"""Tokens of callers, as replicas share them: got once, sealed, and nobody else's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from sqlalchemy import Connection, text

from crm_server.settings import Settings
from crm_server.sign_in.tokens import EARLY_SECONDS, CachedTokens
from crm_server.sign_in.vault import Vault
from crm_server.state import State
from crm_server.state.keys import Keys
from crm_tools.errors import SignInError
from tests.state.conftest import Clock

pytestmark = pytest.mark.anyio
Open = Callable[..., State]
SETTINGS = Settings(url="https://contoso.crm.dynamics.com", tenant_id="contoso", client_id="crm-mcp")
ANN, BOB = "ann@contoso", "bob@contoso"


class Entra:
    """Gives out tokens of a caller, and counts them."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, _force: bool, _claims: str | None) -> Mapping[str, Any]:
        self.asked += 1
        return {"access_token": f"token-{self.asked}-of-a-caller", "expires_in": 3600}


@pytest.fixture
def entra() -> Entra:
    return Entra()


class Replica:
    """One process: its own state on the shared database, and what it keeps at hand."""

    def __init__(self, state: State, clock: Clock, entra: Entra, settings: Settings = SETTINGS) -> None:
        self.state = state
        self._moment = lambda: clock().timestamp()
        self._vault = Vault(state, settings, self._moment)
        self._entra = entra
        self._callers: dict[str, CachedTokens] = {}

    async def token(self, caller: str, *, force: bool = False) -> str:
        if caller not in self._callers:
            self._callers[caller] = CachedTokens(self._entra, self._moment, self._vault.of(caller))
        return await self._callers[caller].token(force=force)


@pytest.fixture
def replica(open_: Open, clock: Clock, entra: Entra) -> Callable[..., Replica]:
    return lambda **given: Replica(open_(given.pop("key", None)), clock, entra, **given)


async def kept(state: State) -> list[tuple[str, str, float]]:
    def work(connection: Connection, _keys: Keys) -> list[tuple[str, str, float]]:
        return [tuple(row) for row in connection.execute(text("SELECT place, sealed, expires FROM tokens"))]

    found: list[tuple[str, str, float]] = await state.run(work)
    return found


async def changed(state: State, statement: str) -> None:
    await state.run(lambda connection, _keys: connection.execute(text(statement)))


async def test_another_replica_takes_the_token_that_one_has_got(
    replica: Callable[..., Replica], entra: Entra
) -> None:
    first, second = replica(), replica()
    assert await first.token(ANN) == await second.token(ANN) == "token-1-of-a-caller"
    assert entra.asked == 1
    assert await second.token(BOB) == "token-2-of-a-caller"


async def test_what_is_kept_shows_neither_token_nor_caller(replica: Callable[..., Replica]) -> None:
    one = replica()
    await one.token(ANN)
    ((place, sealed, _),) = await kept(one.state)
    assert "ann" not in place + sealed
    assert "token" not in sealed
    await one.token(BOB)
    # Two seals of alike contents have nothing in common.
    first, second = (row[1] for row in await kept(one.state))
    assert first[:16] != second[:16]


async def test_a_token_in_anothers_place_is_not_taken(replica: Callable[..., Replica], entra: Entra) -> None:
    """Who can write to the database still cannot make Bob act as Ann."""
    first = replica()
    await first.token(ANN)
    await first.token(BOB)
    place = (await kept(first.state))[0][0]
    await changed(
        first.state, f"UPDATE tokens SET sealed = (SELECT sealed FROM tokens WHERE place = '{place}')"
    )
    second = replica()
    found = [await second.token(ANN), await second.token(BOB)]
    assert len(set(found)) == 2
    assert entra.asked == 3


@pytest.mark.parametrize("sealed", ["", "no base64 !", "AAAA", "A" * 400])
async def test_what_cannot_be_opened_is_got_anew(
    replica: Callable[..., Replica], entra: Entra, sealed: str
) -> None:
    first = replica()
    await first.token(ANN)
    await changed(first.state, f"UPDATE tokens SET sealed = '{sealed}'")
    assert await replica().token(ANN) == "token-2-of-a-caller"
    assert entra.asked == 2


async def test_with_another_key_nothing_can_be_opened(
    replica: Callable[..., Replica], tmp_path: Path, entra: Entra
) -> None:
    await replica().token(ANN)
    await replica(key=tmp_path / "another.key").token(ANN)
    assert entra.asked == 2


async def test_a_key_that_was_replaced_still_opens_and_a_forgotten_one_does_not(
    replica: Callable[..., Replica], tmp_path: Path, entra: Entra
) -> None:
    one = replica()
    await one.token(ANN)
    Keys(tmp_path / "own" / "state.key").rotate()
    assert await replica().token(ANN) == await one.token(ANN) == "token-1-of-a-caller"
    Keys(tmp_path / "own" / "state.key").forget_older()
    # Neither what is at hand nor what is shared opens any more.
    assert await one.token(ANN) == "token-2-of-a-caller"
    assert await replica().token(ANN) == "token-2-of-a-caller"
    assert entra.asked == 2


async def test_shortly_before_its_end_a_shared_token_is_renewed_once_for_all(
    replica: Callable[..., Replica], clock: Clock, entra: Entra
) -> None:
    first, second = replica(), replica()
    await first.token(ANN)
    clock.pass_(timedelta(seconds=3600 - EARLY_SECONDS))
    assert await second.token(ANN) == await first.token(ANN) == "token-2-of-a-caller"
    assert entra.asked == 2


async def test_a_token_that_dataverse_refuses_is_replaced_for_all(
    replica: Callable[..., Replica], entra: Entra
) -> None:
    first = replica()
    await first.token(ANN)
    assert await first.token(ANN, force=True) == "token-2-of-a-caller"
    assert await replica().token(ANN) == "token-2-of-a-caller"
    assert entra.asked == 2


async def test_what_has_ended_is_forgotten(replica: Callable[..., Replica], clock: Clock) -> None:
    one = replica()
    await one.token(ANN)
    clock.pass_(timedelta(hours=2))
    await one.token(BOB)
    assert len(await kept(one.state)) == 1


async def test_another_environment_or_application_has_tokens_of_its_own(
    replica: Callable[..., Replica], entra: Entra
) -> None:
    await replica().token(ANN)
    other = Settings(url="https://test.crm.dynamics.com", tenant_id="contoso", client_id="crm-mcp")
    await replica(settings=other).token(ANN)
    assert entra.asked == 2


@pytest.fixture
def nowhere(tmp_path: Path, clock: Clock) -> Iterator[State]:
    """A state whose file cannot be opened: a folder is in its place."""
    from crm_server.state import open_state

    (tmp_path / "folder").mkdir()
    state = open_state(f"sqlite:///{tmp_path / 'folder'}", tmp_path, tmp_path / "some.key", clock)
    yield state
    state.close()


async def test_without_the_state_each_replica_gets_tokens_by_itself(
    nowhere: State, clock: Clock, entra: Entra
) -> None:
    one = Replica(nowhere, clock, entra)
    assert await one.token(ANN) == await one.token(ANN) == "token-1-of-a-caller"
    assert entra.asked == 1


async def test_without_the_key_nothing_is_kept_and_calls_go_on(
    open_: Open, clock: Clock, entra: Entra, tmp_path: Path
) -> None:
    (tmp_path / "bad.key").write_text("no key")
    one = Replica(open_(tmp_path / "bad.key"), clock, entra)
    assert await one.token(ANN) != await one.token(ANN)


async def test_many_requests_at_once_exchange_once(replica: Callable[..., Replica], entra: Entra) -> None:
    one = replica()
    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(one.token, ANN)
    assert entra.asked == 1


async def test_a_refusal_is_told_and_leaves_nothing(open_: Open, clock: Clock) -> None:
    state = open_()

    def refuse(_force: bool, _claims: str | None) -> Mapping[str, Any]:
        return {"error": "invalid_grant", "error_description": "AADSTS500133: ended"}

    tokens = CachedTokens(refuse, lambda: clock().timestamp(), Vault(state, SETTINGS).of(ANN))
    with pytest.raises(SignInError):
        await tokens.token()
    assert await kept(state) == []
