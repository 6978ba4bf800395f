"""Metadata that may not be read, or cannot be reached, and tables that are not there."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from crm_server.app import learn_first
from crm_server.organisation.named import NOT_READ
from crm_server.settings import Settings, SettingsError
from tests.interaction.connecting import ERAS, Era
from tests.organisation.organisation import (
    ACCOUNT,
    FIVE,
    Clock,
    client_of,
    done,
    organisation,
    schemas,
    text_of,
)

pytestmark = pytest.mark.anyio
# A server error that is not waited for, unlike 503.
WITHOUT_RIGHTS, DOWN = 403, 500


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("status", [WITHOUT_RIGHTS, DOWN])
async def test_without_metadata_the_standard_description_serves_and_says_so(era: Era, status: int) -> None:
    with organisation() as crm:
        await crm.add_column(ACCOUNT, "String", "new_Region", label="Region")
        crm.refusing = status
        with capture_logs() as lines:
            async with client_of(crm, era=era, tables=("account", "contact")) as client:
                create = (await schemas(client))["create_account"]["properties"]
                assert create["name"] == {"type": "string", "maxLength": 160}
                assert "new_region" not in create
                assert f"note: {NOT_READ}" in await text_of(client, "describe_table", table="account")
                assert (await done(client, "create_account", name="Proseware"))["record"][
                    "name"
                ] == "Proseware"
    warned = [line for line in lines if line["event"] == "table_not_described"]
    assert {line["log_level"] for line in warned} == {"warning"}
    assert {(line["table"], line.get("description")) for line in warned} >= {
        ("account", "the standard"),
        ("contact", "the standard"),
    }


async def test_a_described_table_has_no_note() -> None:
    with organisation() as crm:
        async with client_of(crm) as client:
            for table in ("account", "new_project", "lead"):
                assert NOT_READ not in await text_of(client, "describe_table", table=table)


@pytest.mark.parametrize("era", ERAS)
async def test_a_table_that_nothing_describes_gets_its_tools_as_soon_as_it_can_be_read(era: Era) -> None:
    with organisation() as crm:
        crm.refusing = DOWN
        with capture_logs() as lines:
            async with client_of(crm, era=era) as client:
                offered = await schemas(client)
                assert "create_account" in offered
                assert not set(FIVE) & offered.keys()
                told = [line for line in lines if line.get("table") == "new_project"]
                assert [line["description"] for line in told] == ["none"]
                crm.refusing = None
                await done(client, "whoami")
                assert set(FIVE) <= (await schemas(client)).keys()
                assert NOT_READ not in await text_of(client, "describe_table", table="account")


@pytest.mark.parametrize("status", [WITHOUT_RIGHTS, DOWN])
async def test_what_was_kept_serves_where_metadata_cannot_be_read_any_more(status: int) -> None:
    with organisation() as crm:
        async with client_of(crm, tables=("account", "new_project")) as client:
            known = await schemas(client)
        crm.refusing = status
        # Contacts were never read, so the tables are asked for once more, in vain.
        async with client_of(crm, tables=("account", "new_project", "contact")) as client:
            now = await schemas(client)
            assert {name: now[name] for name in known} == known
            assert NOT_READ in await text_of(client, "describe_table", table="contact")
            assert NOT_READ not in await text_of(client, "describe_table", table="new_project")


async def test_a_refusal_later_on_changes_nothing_and_is_logged() -> None:
    clock = Clock()
    with organisation() as crm:
        async with client_of(crm, clock=clock) as client:
            known = await schemas(client)
            crm.refusing = WITHOUT_RIGHTS
            clock.passes(minutes=15)
            with capture_logs() as lines:
                await done(client, "create_new_project", new_name="Works all the same")
            assert await schemas(client) == known
    warned = {line["table"]: line for line in lines if line["event"] == "table_not_described"}
    assert set(warned) == {"account", "contact", "new_project"}
    assert "privilege" in warned["account"]["problem"]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("new_projct", "Did you mean new_project?"),
        ("acount", "Did you mean account?"),
        ("zzz_nothing_like_it", "logical name"),
    ],
)
async def test_a_table_that_is_not_there_stops_the_start_with_the_closest_name(name: str, told: str) -> None:
    with organisation() as crm, pytest.raises(SettingsError) as caught:
        await learn_first(Settings(tables=("account", name)), crm)
    assert f"DYNAMICS_TABLES names {name}" in str(caught.value)
    assert told in str(caught.value)


async def test_a_standard_table_that_the_environment_lacks_stops_the_start_too() -> None:
    with organisation() as crm:
        crm.refusing = 404
        with pytest.raises(SettingsError, match="names lead"):
            await learn_first(Settings(tables=("lead",)), crm)
