"""The tables that the policy tests speak of."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from crm_tools.description import load
from crm_tools.tables import Table


@pytest.fixture(scope="session")
def tables() -> Mapping[str, Table]:
    return load().tables
