"""Tables as the environment describes them: read in one trip, kept for a while."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from crm_sandbox import create_app
from crm_server.dataverse.client import DEFINITION_SECONDS, DataverseClient
from crm_server.dataverse.metadata import TableDefinition, definition_requests, parse_definition
from crm_server.dataverse.responses import CrmResponse
from crm_server.dataverse.sender import Sender
from crm_server.sign_in.callers import Caller, called_by
from crm_tools.description import load
from crm_tools.errors import InputError, NotFoundError, PrivilegeError, UnreadableAnswerError
from crm_tools.tables import CHOICE_TYPES, ColumnType

pytestmark = pytest.mark.anyio
TABLES = load().tables
PROJECTS = Path(__file__).parents[1] / "sandbox" / "new_project.toml"


class Environment:
    """The sandbox with a table of the organisation's own, and a clock."""

    def __init__(self) -> None:
        self.app = create_app(tables=[PROJECTS])
        self.now = 0.0
        transport = httpx.ASGITransport(app=self.app)
        sender = Sender("https://crm.example", transport=transport, clock=lambda: self.now)
        self.client = DataverseClient(sender, TABLES)

    @property
    def trips(self) -> int:
        return len(self.app.requests)


@pytest.fixture
def crm() -> Iterator[Environment]:
    environment = Environment()
    yield environment
    environment.app.close()


@pytest.mark.parametrize("name", sorted(TABLES))
async def test_the_environment_agrees_with_the_description_of_the_api(crm: Environment, name: str) -> None:
    described, found = TABLES[name], await crm.client.definition(name)
    assert (found.name, found.entity_set, found.key) == (name, described.entity_set, described.key)
    assert (found.primary_name, found.is_custom) == (described.primary_name, False)
    for column in described.columns.values():
        there = found.columns[column.short_name]
        assert there.label == column.label
        assert there.type == wire_type(column.type) or column.targets
        if column.type is ColumnType.STRING:
            assert there.max_length == column.max_length
        if column.type in CHOICE_TYPES:
            assert there.choices == column.choices
        for target in column.targets:
            assert target in there.targets
    for navigation in described.navigations.values():
        if navigation.writable and navigation.column != "_ownerid_value":
            column = found.columns[described.columns[navigation.column].short_name]
            assert column.navigations[navigation.table] == navigation.name


def wire_type(kind: ColumnType) -> str:
    dates = (ColumnType.DATE_ONLY, ColumnType.DATE_TIME)
    return "DateTimeType" if kind in dates else f"{kind.value}Type"


async def test_a_table_of_the_organisations_own_is_described_in_one_trip(crm: Environment) -> None:
    found = await crm.client.definition("new_project")
    assert (found.entity_set, found.key, found.is_custom) == ("new_projects", "new_projectid", True)
    assert found.columns["new_name"].type == "StringType"
    assert found.columns["new_name"].on_create
    assert crm.trips == 1


async def test_columns_that_are_part_of_others_are_left_out_and_booleans_have_two_choices(
    crm: Environment,
) -> None:
    found = await crm.client.definition("contact")
    assert "parentcustomeridname" not in found.columns
    assert [choice.value for choice in found.columns["donotemail"].choices] == [0, 1]
    assert not found.columns["fullname"].on_create


async def test_a_definition_is_kept_for_a_while(crm: Environment) -> None:
    first = await crm.client.definition("lead")
    assert await crm.client.definition("lead") is first
    assert crm.trips == 1
    crm.now = DEFINITION_SECONDS
    assert await crm.client.definition("lead") == first
    assert crm.trips == 2
    crm.client.forget_definitions()
    await crm.client.definition("lead")
    assert crm.trips == 3


async def test_each_caller_has_definitions_in_their_own_language(crm: Environment) -> None:
    for name in "ab":
        with called_by(Caller("a name of many", subject=name)):
            await crm.client.definition("lead")
    assert crm.trips == 2


async def test_a_table_that_is_not_there_is_told_and_asked_for_again(crm: Environment) -> None:
    for _ in range(2):
        with pytest.raises(NotFoundError, match="no table nothing_here"):
            await crm.client.definition("nothing_here")
    assert crm.trips == 2


@pytest.mark.parametrize("name", ["", "Account", "account')/x", "a" * 200, "1a", "naïve"])
async def test_what_is_no_name_of_a_table_is_refused_unasked(crm: Environment, name: str) -> None:
    with pytest.raises(InputError, match="logical name"):
        await crm.client.definition(name)
    assert crm.trips == 0


def answered(status: int, body: bytes) -> Any:
    number = len(definition_requests("lead"))
    return [CrmResponse(status, {}, body)] * number


def test_missing_rights_and_odd_answers_are_told_apart() -> None:
    with pytest.raises(PrivilegeError):
        parse_definition("lead", answered(403, b'{"error":{"code":"0x80040220","message":"no"}}'))
    for body in (b"<html>", b"[]", b"{}", b'{"value":1}', b'{"value":[{}]}'):
        with pytest.raises(UnreadableAnswerError):
            parse_definition("lead", answered(200, body))


def test_a_label_that_the_user_has_no_language_for_is_taken_from_another() -> None:
    label = {"UserLocalizedLabel": None, "LocalizedLabels": [{"Label": "Konto", "LanguageCode": 1031}]}
    table = {"LogicalName": "lead", "EntitySetName": "leads", "PrimaryIdAttribute": "leadid"}
    found = described({**table, "DisplayName": label})
    assert (found.label, found.plural_label) == ("Konto", "lead")


def described(table: dict[str, Any]) -> TableDefinition:
    _, *others = answered(200, b'{"value":[]}')
    return parse_definition("lead", [CrmResponse(200, {}, json.dumps(table).encode()), *others])
