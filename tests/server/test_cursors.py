"""Cursors are opaque words that only this server, this caller and this table can use, for an hour."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_server.cursors import LIFETIME, Cursors, continuation
from crm_tools.errors import InputError, UnreadableAnswerError
from crm_tools.operations import Expansion, OrderBy, Query

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
QUERY = Query(
    table="account",
    select=("accountid", "name"),
    filter="name eq 'Ä'",
    orderby=(OrderBy("revenue", descending=True),),
    expand=(Expansion("primarycontactid", "contact", ("contactid",), "_primarycontactid_value", many=False),),
    named={"account": frozenset({"name", "revenue"})},
    top=7,
    count=True,
)
CONTINUATION = continuation(
    QUERY, "https://contoso.crm.dynamics.com/api/data/v9.2/accounts?$skiptoken=%253Ccookie"
)


def keys(*each: bytes) -> Callable[[str], Sequence[bytes]]:
    return lambda _purpose: each


def new_keys() -> Callable[[str], Sequence[bytes]]:
    return keys(secrets.token_bytes(32))


one_key = keys(b"k" * 32)


def test_a_cursor_opens_to_the_query_and_link_it_was_made_from() -> None:
    cursors = Cursors(new_keys())
    cursor = cursors.seal(CONTINUATION, "ann", NOW)
    assert cursors.open(cursor, "account", "ann", NOW + LIFETIME) == CONTINUATION


@pytest.mark.parametrize(
    ("table", "caller", "later"),
    [
        ("contact", "ann", timedelta()),
        ("account", "bob", timedelta()),
        ("account", "ann", LIFETIME + timedelta(seconds=1)),
    ],
)
def test_another_table_another_caller_and_a_late_call_are_refused(
    table: str, caller: str, later: timedelta
) -> None:
    cursors = Cursors(new_keys())
    cursor = cursors.seal(CONTINUATION, "ann", NOW)
    with pytest.raises(InputError):
        cursors.open(cursor, table, caller, NOW + later)


def test_a_cursor_of_another_server_is_refused() -> None:
    with pytest.raises(InputError):
        Cursors(new_keys()).open(Cursors(new_keys()).seal(CONTINUATION, "ann", NOW), "account", "ann", NOW)


def test_a_cursor_outlives_the_rotation_of_its_key() -> None:
    old, new = b"o" * 32, b"n" * 32
    cursor = Cursors(keys(old)).seal(CONTINUATION, "ann", NOW)
    assert Cursors(keys(new, old)).open(cursor, "account", "ann", NOW) == CONTINUATION
    sealed_anew = Cursors(keys(new, old)).seal(CONTINUATION, "ann", NOW)
    with pytest.raises(InputError):
        Cursors(keys(old)).open(sealed_anew, "account", "ann", NOW)


@given(st.text(max_size=300))
def test_any_made_up_text_is_refused_with_a_clear_error(text: str) -> None:
    with pytest.raises(InputError):
        Cursors(one_key).open(text, "account", "ann", NOW)


@given(st.data())
def test_a_cursor_with_one_character_changed_is_refused(data: st.DataObject) -> None:
    cursors = Cursors(one_key)
    cursor = cursors.seal(CONTINUATION, "ann", NOW)
    place = data.draw(st.integers(0, len(cursor) - 2))  # the last character may hold unused bits
    other = "A" if cursor[place] != "A" else "B"
    with pytest.raises(InputError):
        cursors.open(cursor[:place] + other + cursor[place + 1 :], "account", "ann", NOW)


def followed(links: list[str], cursors: Cursors) -> int:
    """How many links are followed, each by a cursor of its own, before the circle is noticed."""
    cursor = cursors.seal(continuation(QUERY, links[0]), "ann", NOW)
    for number, link in enumerate(links[1:], start=1):
        try:
            following = cursors.open(cursor, "account", "ann", NOW).on(link)
        except UnreadableAnswerError:
            return number
        cursor = cursors.seal(following, "ann", NOW)
    return len(links)


@given(st.integers(0, 40), st.integers(1, 40))
def test_links_that_go_round_in_a_circle_are_refused_soon(before: int, circle: int) -> None:
    links = [f"https://crm/{number}" for number in range(before)]
    links += [f"https://crm/{before + number % circle}" for number in range(4 * (before + circle) + 4)]
    assert before + circle <= followed(links, Cursors(one_key)) <= 3 * (before + circle)


@given(st.lists(st.text(), min_size=1, max_size=60, unique=True))
def test_links_that_lead_on_are_followed_to_the_end(links: list[str]) -> None:
    assert followed(links, Cursors(one_key)) == len(links)
