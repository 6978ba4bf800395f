"""Tools are paid for in every conversation: what each set of them may cost."""

from __future__ import annotations

from crm_tools.toolsets import COMPACT, DEFAULT, TOOLSETS
from docs.generate import tokens_of, tokens_of_tool, tools_of


def test_the_usual_tools_cost_less_than_6500_tokens() -> None:
    assert sum(tokens_of_tool(tool) for tool in tools_of(*DEFAULT)) < 6_500


def test_the_compact_set_has_five_tools_and_costs_less_than_2500_tokens() -> None:
    tools = tools_of(COMPACT)

    assert len(tools) == 5
    assert sum(tokens_of_tool(tool) for tool in tools) < 2_500


def test_no_tool_costs_more_than_500_tokens() -> None:
    costs = {tool.name: tokens_of_tool(tool) for tool in tools_of(*TOOLSETS)}
    assert {name: cost for name, cost in costs.items() if cost > 500} == {}


def test_the_tokenizer_counts_what_it_counted_before() -> None:
    assert tokens_of("Two accounts named Fabrikam, one in Oslo.") == 10
