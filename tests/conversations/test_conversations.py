"""Forty conversations by names only, and the same through the bare twenty tools for comparison."""

from __future__ import annotations

import anyio
import pytest

from tests.conversations.asking import ASKING
from tests.conversations.changing import CHANGING
from tests.conversations.comparing import ROOT, comparison, table_of_comparison
from tests.conversations.conversation import PEOPLE, Conversation, held
from tests.conversations.selling import SELLING
from tests.interaction.connecting import Era

ALL = (*ASKING, *SELLING, *CHANGING)


def era_of(conversation: Conversation) -> Era:
    """Each protocol era has half of them."""
    return "legacy" if ALL.index(conversation) % 2 else "auto"


def test_there_are_forty_conversations_or_more() -> None:
    assert len(ALL) >= 40


@pytest.mark.anyio
@pytest.mark.parametrize("conversation", ALL, ids=lambda item: item.asks[:40])
async def test_a_conversation_by_names_leaves_the_crm_as_it_was_meant(conversation: Conversation) -> None:
    outcome = await held(conversation, conversation.calls, PEOPLE, era_of(conversation))

    assert outcome.failed is conversation.fails, outcome.last
    for words in conversation.says:
        assert words in outcome.last, outcome.last
    assert list(outcome.held) == [item.count for item in conversation.then]


@pytest.mark.anyio
async def test_names_take_at_most_half_the_calls_and_half_the_tokens_of_the_bare_tools() -> None:
    compared = await comparison()

    assert len(compared) >= 20
    assert sum(item.ours.calls for item in compared) <= 0.5 * sum(item.bare.calls for item in compared)
    assert sum(item.ours.tokens for item in compared) <= 0.5 * sum(item.bare.tokens for item in compared)


def test_the_table_in_the_documentation_is_the_comparison_as_it_is() -> None:
    written = (ROOT / "docs" / "conversations.md").read_text(encoding="utf-8")

    assert anyio.run(table_of_comparison) in written, "run python -m tests.conversations.comparing"
