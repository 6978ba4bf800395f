"""The prompts that are offered: they speak of tools, columns and filters that exist."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from crm_prompts import Prompt, load_prompts
from crm_tools.catalogue import all_tools
from crm_tools.description import load
from crm_tools.filters import parse_filter

TOOLS = {tool.name for tool in all_tools()}
TOOL_LIKE = re.compile(r"`((?:list|get|create|update|delete|query|find|summarize|log|close|merge)_\w+)`")

every_prompt = pytest.mark.parametrize("prompt", load_prompts(), ids=lambda prompt: prompt.name)


def test_the_seven_prompts_are_offered():
    assert [prompt.name for prompt in load_prompts()] == [
        "account_briefing",
        "duplicates_cleanup",
        "lead_from_conversation",
        "meeting_preparation",
        "pipeline_review",
        "safe_update",
        "stale_deals",
    ]


@every_prompt
def test_the_front_matter_lists_exactly_the_tools_that_the_text_names(prompt: Prompt):
    assert set(TOOL_LIKE.findall(prompt.template)) == set(prompt.tools)


@every_prompt
def test_only_tools_that_exist_are_named(prompt: Prompt):
    assert set(prompt.tools) <= TOOLS


def filters_in(text: str) -> Iterator[tuple[str, str]]:
    """The filters that a text shows, each with the entity set of the list that it names last."""
    entity_set = ""
    for code in re.findall(r"`([^`]+)`", text):
        if code.startswith("list_"):
            entity_set = code.removeprefix("list_")
        if code.startswith(("filter: ", "contains(")):
            yield entity_set, code.removeprefix("filter: ")


def test_every_filter_in_the_texts_can_be_read():
    tables = load().tables
    by_set = {table.entity_set: table for table in tables.values()}
    shown = [found for prompt in load_prompts() for found in filters_in(prompt.template)]
    read = [parse_filter(text, by_set[entity_set], tables) for entity_set, text in shown]
    assert [dict(one.named) for one in read] == [{"lead": {"emailaddress1"}}, {"account": {"name"}}]


@every_prompt
def test_a_prompt_without_its_optional_arguments_has_no_marks_left(prompt: Prompt):
    text = prompt.render({item.name: "x" for item in prompt.arguments if item.required})
    assert "{{" not in text
    assert text.count("```text\nx\n```") == sum(item.required for item in prompt.arguments)
