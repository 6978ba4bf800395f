"""The prompts that are offered: they speak of tools, columns and filters that exist."""

from __future__ import annotations

import re

import pytest

from crm_prompts import Prompt, load_prompts
from crm_tools.catalogue import all_tools
from crm_tools.description import load
from crm_tools.filters import parse_filter

TOOLS = {tool.name for tool in all_tools()}
TOOL_LIKE = re.compile(r"`((?:list|get|create|update|delete|query|find|summarize|log|close|merge)_\w+)`")
GUID = "11111111-2222-3333-4444-555555555555"

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


@every_prompt
def test_every_filter_in_the_text_can_be_read(prompt: Prompt):
    tables = load().tables
    tools = {table.entity_set: table for table in tables.values()}
    table = None
    for code in re.findall(r"`([^`]+)`", prompt.template):
        if code.startswith("list_"):
            table = tools[code.removeprefix("list_")]
        if code.startswith("filter: "):
            text = code.removeprefix("filter: ").replace("<accountid>", GUID)
            parse_filter(text.replace("<last day>", "2026-12-31"), table, tables)


@every_prompt
def test_a_prompt_without_its_optional_arguments_has_no_marks_left(prompt: Prompt):
    text = prompt.render({item.name: "x" for item in prompt.arguments if item.required})
    assert "{{" not in text
    assert text.count("```text\nx\n```") == sum(item.required for item in prompt.arguments)
