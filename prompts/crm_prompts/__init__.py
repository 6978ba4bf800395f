"""Prompts that the server offers, each a markdown file with front matter beside this module.

To add one, add a file; `crm_prompts.loader` says what it holds.
"""

from crm_prompts.loader import (
    Prompt,
    PromptArgument,
    PromptError,
    PromptFileError,
    load_prompts,
    parse_prompt,
)

__all__ = ["Prompt", "PromptArgument", "PromptError", "PromptFileError", "load_prompts", "parse_prompt"]
