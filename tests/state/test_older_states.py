"""A state that an older version of the server wrote is brought up to date, with all that is in it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Connection, text

from crm_server.state import State, visits
from crm_server.state.keys import Keys
from crm_tools.errors import StateError
from tests.state.test_audit_chain import filled, verified
from tests.state.writing import change, limited, write

pytestmark = pytest.mark.anyio
Open = Callable[..., State]

TO_VERSION_2 = (
    "DROP TABLE tokens",
    "DROP TABLE ended_visits",
    "UPDATE facts SET value = '2' WHERE name = 'version'",
)
TO_VERSION_1 = (
    *TO_VERSION_2,
    "DROP TABLE jobs",
    "DROP TABLE job_steps",
    "DROP TABLE readers",
    "ALTER TABLE checkpoints DROP COLUMN signer",
    "UPDATE facts SET value = '1' WHERE name = 'version'",
)


@pytest.mark.parametrize("back_to", [TO_VERSION_1, TO_VERSION_2], ids=["version 1", "version 2"])
async def test_an_older_state_goes_on_with_its_audit(open_: Open, back_to: tuple[str, ...]) -> None:
    old = open_()
    await filled(old, 150)

    def back(connection: Connection, _keys: Keys) -> None:
        for statement in back_to:
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
    assert not await new.run(lambda connection, _keys: visits.is_ended(connection, "0123"))


@pytest.mark.parametrize(("oldest", "goes_on"), [(1, True), (998, False)])
async def test_beside_a_newer_version_writes_go_on_if_that_only_added_something(
    open_: Open, oldest: int, goes_on: bool
) -> None:
    first = open_()
    await write(first, limited(), change())

    def ahead(connection: Connection, _keys: Keys) -> None:
        connection.execute(text("UPDATE facts SET value = '999' WHERE name = 'version'"))
        connection.execute(text(f"UPDATE facts SET value = '{oldest}' WHERE name = 'oldest taking'"))
        connection.execute(text("CREATE TABLE of_the_next_version (id INTEGER)"))

    await first.run(ahead)
    await write(first, limited(), change())
    beside = open_()
    if goes_on:
        await write(beside, limited(), change())
        assert (await verified(beside)).broken is None
    else:
        with pytest.raises(StateError, match="newer version"):
            await write(beside, limited(), change())


async def test_a_state_that_was_brought_up_to_date_says_who_may_go_on_with_it(open_: Open) -> None:
    new, old = open_(), open_()
    await new.has_read("ann")

    def facts(connection: Connection, _keys: Keys) -> dict[str, str]:
        return {row.name: row.value for row in connection.execute(text("SELECT name, value FROM facts"))}

    expected = await new.run(facts)

    def back(connection: Connection, _keys: Keys) -> None:
        for statement in (*TO_VERSION_2, "DELETE FROM facts WHERE name = 'oldest taking'"):
            connection.execute(text(statement))

    await old.run(back)
    assert await open_().run(facts) == expected
