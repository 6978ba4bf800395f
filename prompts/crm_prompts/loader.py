"""Reads prompts from markdown files.

A file ``pipeline_review.md`` begins with front matter, YAML between two lines of ``---``::

    name: pipeline_review            the file's own name
    title: Pipeline review           for people
    description: One sentence.       for people choosing a prompt
    arguments:
      - name: owner
        description: Whose opportunities.
        required: false
    tools: [list_opportunities]      the tools that the text names

In the text, a line ``{{owner}}`` becomes the argument's text in a fenced block, and the lines between
``{{#owner}}`` and ``{{/owner}}`` are left out where the argument is not given. Argument text is data that
somebody else may have written, so it never stands between the prompt's own sentences: its fence is longer
than any run of backticks in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Any

_FRONT_MATTER = re.compile(r"---\n(?P<facts>.*?)\n---\n(?P<text>.*)", re.DOTALL)
_MARK = re.compile(r"\{\{(?P<kind>[#/]?)(?P<name>[a-z][a-z0-9_]*)\}\}")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_PROMPT_KEYS = ("name", "title", "description", "arguments", "tools")
_ARGUMENT_KEYS = ("name", "description", "required")


class PromptError(ValueError):
    """The arguments do not fit the prompt. The message says what to change."""


class PromptFileError(ValueError):
    """A prompt's file is not as it must be. The message names the file."""


@dataclass(frozen=True, slots=True)
class PromptArgument:
    """One argument of a prompt; its value is text."""

    name: str
    description: str
    required: bool


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt; ``tools`` are the names of the tools that its text speaks of."""

    name: str
    title: str
    description: str
    arguments: tuple[PromptArgument, ...]
    tools: tuple[str, ...]
    template: str

    def render(self, arguments: Mapping[str, str]) -> str:
        """The text for these arguments. An argument of nothing but white space counts as not given.

        Raises:
            PromptError: An argument is unknown, or a required one is missing.
        """
        known = [argument.name for argument in self.arguments]
        for name in arguments:
            if name not in known:
                raise PromptError(f"Prompt {self.name} has no argument {name[:80]!r}.{_hint(name, known)}")
        given = {name: value.strip() for name, value in arguments.items() if value.strip()}
        for argument in self.arguments:
            if argument.required and argument.name not in given:
                raise PromptError(
                    f"Prompt {self.name} needs the argument {argument.name}: {argument.description}"
                )
        return _rendered(self.template, given)


@cache
def load_prompts() -> tuple[Prompt, ...]:
    """All prompts, in the order of their names. The files are read on the first call.

    Raises:
        PromptFileError: A file is not as the module's text says.
    """
    found = [entry for entry in files("crm_prompts").iterdir() if entry.name.endswith(".md")]
    return tuple(
        parse_prompt(entry.name, entry.read_text(encoding="utf-8"))
        for entry in sorted(found, key=lambda entry: entry.name)
    )


def parse_prompt(file_name: str, content: str) -> Prompt:
    """The prompt that a file holds.

    Raises:
        PromptFileError: The front matter or the marks in the text are wrong; names the file.
    """
    try:
        return _prompt(file_name.removesuffix(".md"), content)
    except PromptFileError as error:
        raise PromptFileError(f"Prompt file {file_name}: {error}") from None


def _prompt(stem: str, content: str) -> Prompt:
    match = _FRONT_MATTER.fullmatch(content.replace("\r\n", "\n"))
    if match is None:
        raise PromptFileError("must begin with front matter between two lines of ---.")
    facts = _mapping(_yaml(match["facts"]), _PROMPT_KEYS, "the front matter")
    if facts["name"] != stem or not _NAME.fullmatch(stem):
        raise PromptFileError(f"name must be the file's own name, {stem}, in small letters and underscores.")
    prompt = Prompt(
        name=stem,
        title=_text(facts, "title"),
        description=_text(facts, "description"),
        arguments=tuple(_argument(item) for item in _list(facts, "arguments")),
        tools=_names(facts, "tools"),
        template=match["text"].strip() + "\n",
    )
    _check_marks(prompt)
    return prompt


def _yaml(text: str) -> Any:
    import yaml  # Costs more than the rest of this module, and only reading a file needs it.

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise PromptFileError("the front matter is not YAML.") from error


def _argument(item: Any) -> PromptArgument:
    facts = _mapping(item, _ARGUMENT_KEYS, "an argument")
    if not isinstance(facts["required"], bool):
        raise PromptFileError("required of an argument must be true or false.")
    name = _text(facts, "name")
    if not _NAME.fullmatch(name):
        raise PromptFileError(
            f"argument name {name!r} must consist of small letters, digits and underscores."
        )
    return PromptArgument(name, _text(facts, "description"), facts["required"])


def _mapping(value: Any, keys: tuple[str, ...], what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise PromptFileError(f"{what} must have the keys {', '.join(keys)}.")
    for key in value:
        if key not in keys:
            raise PromptFileError(f"{what} has an unknown key {key!r}.{_hint(str(key), keys)}")
    for key in keys:
        if key not in value:
            raise PromptFileError(f"{what} lacks the key {key}.")
    return value


def _text(facts: Mapping[str, Any], key: str) -> str:
    value = facts[key]
    if not isinstance(value, str) or not value.strip():
        raise PromptFileError(f"{key} must be text.")
    return value


def _list(facts: Mapping[str, Any], key: str) -> list[Any]:
    value = facts[key]
    if not isinstance(value, list):
        raise PromptFileError(f"{key} must be a list.")
    return value


def _names(facts: Mapping[str, Any], key: str) -> tuple[str, ...]:
    names = _list(facts, key)
    if not all(isinstance(name, str) and _NAME.fullmatch(name) for name in names):
        raise PromptFileError(f"{key} must be a list of tool names.")
    if len(set(names)) != len(names):
        raise PromptFileError(f"{key} names a tool twice.")
    return tuple(names)


def _check_marks(prompt: Prompt) -> None:
    arguments = {argument.name: argument for argument in prompt.arguments}
    if len(arguments) != len(prompt.arguments):
        raise PromptFileError("an argument is declared twice.")
    inside: str | None = None
    used: set[str] = set()
    for line in prompt.template.splitlines():
        mark = _MARK.fullmatch(line)
        if mark is None:
            if "{{" in line or "}}" in line:
                raise PromptFileError(f"a mark must be {{{{name}}}} and stand alone on its line: {line!r}.")
            continue
        name = mark["name"]
        if name not in arguments:
            raise PromptFileError(f"the text names an undeclared argument {name!r}.{_hint(name, arguments)}")
        inside = _section_after(mark["kind"], name, inside)
        if not mark["kind"]:
            used.add(name)
            if not arguments[name].required and inside != name:
                raise PromptFileError(f"optional argument {name} must stand inside its own section.")
    if inside is not None:
        raise PromptFileError(f"section {inside} is not closed.")
    if unused := arguments.keys() - used:
        raise PromptFileError(f"the text does not use the argument {min(unused)}.")


def _section_after(kind: str, name: str, inside: str | None) -> str | None:
    """The section that is open after a mark."""
    if kind == "#":
        if inside is not None:
            raise PromptFileError(f"section {name} begins inside section {inside}.")
        return name
    if kind == "/":
        if inside != name:
            raise PromptFileError(f"section {name} is closed but not open.")
        return None
    return inside


def _rendered(template: str, given: Mapping[str, str]) -> str:
    lines: list[str] = []
    skipping = False
    for line in template.splitlines():
        mark = _MARK.fullmatch(line)
        if mark is None:
            # A section that is left out leaves its blank lines behind; one is enough.
            if not skipping and (line or lines[-1:] != [""]):
                lines.append(line)
        elif mark["kind"]:
            skipping = mark["kind"] == "#" and mark["name"] not in given
        elif not skipping:
            lines.append(_fenced(given[mark["name"]]))
    return "\n".join(lines).strip("\n") + "\n"


def _fenced(text: str) -> str:
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def _hint(name: str, known: Iterable[str]) -> str:
    names = list(known)
    if near := get_close_matches(name.casefold(), names, n=1):
        return f" Did you mean {near[0]}?"
    return f" Known: {', '.join(names)}." if names else " It takes none."
