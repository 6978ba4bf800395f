"""A policy that is read anew while the server runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from crm_server.policy.load import PolicyFileError
from crm_server.policy.reload import ReloadablePolicy
from crm_tools.tables import Table

BASE = '[[rules]]\nid = "read"\neffect = "allow"\nactions = ["read"]\ntables = ["account"]\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "base.toml").write_text(BASE)
    path = tmp_path / "team.toml"
    path.write_text('name = "first"\nextends = "base.toml"\n')
    return path


def test_a_changed_file_is_in_force_after_a_reload(file: Path, tables: Mapping[str, Table]) -> None:
    policy = ReloadablePolicy(str(file), tables)
    before = policy.current
    file.write_text('name = "second"\nextends = "base.toml"\n')
    assert policy.current is before
    assert policy.reload() is None
    assert (before.name, policy.current.name) == ("first", "second")


def test_a_changed_base_is_in_force_after_a_reload(file: Path, tables: Mapping[str, Table]) -> None:
    policy = ReloadablePolicy(str(file), tables)
    before = policy.current.digest
    assert policy.reload() is None
    assert policy.current.digest == before
    (file.parent / "base.toml").write_text(BASE.replace("account", "lead"))
    assert policy.reload() is None
    assert policy.current.rules[0].tables == {"lead"}
    assert policy.current.digest != before


@pytest.mark.parametrize("text", ['extends = "gone.toml"', "name =", 'name = "x"\nrls = 1'])
def test_a_bad_file_is_reported_and_the_old_policy_stays(
    file: Path, tables: Mapping[str, Table], text: str
) -> None:
    policy = ReloadablePolicy(str(file), tables)
    before = policy.current
    file.write_text(text)
    problem = policy.reload()
    assert problem is not None
    assert problem.startswith(f"Policy {file}, line ")
    assert policy.current is before
    file.write_text('name = "mended"\n')
    assert policy.reload() is None
    assert policy.current.name == "mended"


def test_a_reload_can_bring_tables_of_its_own(file: Path, tables: Mapping[str, Table]) -> None:
    policy = ReloadablePolicy(str(file), tables)
    file.write_text(BASE.replace("account", "new_project"))
    assert "Unknown table 'new_project'" in (policy.reload() or "")
    assert policy.reload({**tables, "new_project": replace(tables["account"], name="new_project")}) is None
    assert policy.reload() is None


def test_there_is_no_policy_to_begin_with_in_a_bad_file(tmp_path: Path, tables: Mapping[str, Table]) -> None:
    with pytest.raises(PolicyFileError):
        ReloadablePolicy(str(tmp_path / "none.toml"), tables)
