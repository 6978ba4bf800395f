"""The tables around those of the API description, and whether the sandbox has them as tools know them."""

from __future__ import annotations

import pytest

from crm_sandbox.schema.loading import load_schema
from crm_tools.standard import ACTIVITY, standard_tables

TABLES = standard_tables()


@pytest.mark.parametrize("name", TABLES)
def test_the_sandbox_has_each_column_that_tools_know(name: str) -> None:
    table, there = TABLES[name], load_schema().tables[name]

    assert (table.entity_set, table.key, table.primary_name) == (
        there.entity_set,
        there.key,
        there.primary_name,
    )
    missing = [
        column.short_name for column in table.columns.values() if column.short_name not in there.columns
    ]
    assert missing == []


@pytest.mark.parametrize("name", TABLES)
def test_lookups_are_bound_by_the_properties_that_the_crm_has(name: str) -> None:
    known = load_schema().tables[name].lookups

    for navigation in TABLES[name].navigations.values():
        assert known[navigation.name].target == navigation.table
        assert known[navigation.name].column == TABLES[name].columns[navigation.column].short_name


def test_an_account_leads_to_its_activities_and_notes() -> None:
    relationships = TABLES["account"].relationships

    assert relationships["Account_Tasks"].table == "task"
    assert relationships["Account_Annotation"].cascades


def test_activities_of_every_kind_cannot_be_set() -> None:
    assert not any(column.on_create or column.on_update for column in TABLES[ACTIVITY].columns.values())
    labels = [choice.label for choice in TABLES[ACTIVITY].columns["statecode"].choices]
    assert labels == ["Open", "Completed", "Canceled", "Scheduled"]
