"""A state that an older version of the server wrote is brought up to date, with all that is in it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Connection, text

from crm_server.state import State
from crm_server.state.keys import Keys
from tests.state.test_audit_chain import filled, verified
from tests.state.writing import change, limited, write

pytestmark = pytest.mark.anyio
Open = Callable[..., State]

TO_VERSION_1 = (
    "DROP TABLE jobs",
    "DROP TABLE job_steps",
    "DROP TABLE readers",
    "ALTER TABLE checkpoints DROP COLUMN signer",
    "UPDATE facts SET value = '1' WHERE name = 'version'",
)


async def test_a_state_of_the_first_version_goes_on_with_its_audit(open_: Open) -> None:
    old = open_()
    await filled(old, 150)

    def back(connection: Connection, _keys: Keys) -> None:
        for statement in TO_VERSION_1:
            connection.execute(text(statement))

    await old.run(back)
    old.close()
    new = open_()
    await write(new, limited(), change())
    await filled(new, 60)
    found = await verified(new)
    assert (found.broken, found.events) == (None, 150 + 1 + 60)
    await new.note_reader("ann")
    assert await new.has_read("ann")
