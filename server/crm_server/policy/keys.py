"""Every key of a policy file, once. The parser, the JSON Schema and the docs are made of this table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

from crm_server.policy import limits
from crm_server.policy.kinds import (
    Key,
    Kind,
    are_named_texts,
    are_sections,
    are_texts,
    is_section,
    is_text,
    line,
    list_of,
    matching,
    section_of,
    text,
)
from crm_server.policy.model import KINDS_OF_ENVIRONMENT, MOST_COUNTED, Effect, Limits, Mask, Outcome
from crm_server.policy.wording import DAYS, LIMITS
from crm_tools.operations import Action

PRESETS = ("read-only", "sales-assistant", "full-access")
"""Names of the policies that come with the server."""

LIFTED = "none"
"""The value that takes a limit of the base away."""

COUNTED = tuple(counted.name for counted in limits.COUNTED)
"""The limits that are counted over time, and so can be set for each caller."""

TOP, RULE, WHEN, LIMIT, EACH_CALLER = "", "rules", "when", "limits", "limits.each_caller"
LABELS = {
    TOP: "the file",
    RULE: "[[rules]]",
    WHEN: "when",
    LIMIT: "[limits]",
    EACH_CALLER: "[limits.each_caller]",
}
"""Each section as it is written."""

CASES, CASE = "cases file", "cases"
"""The sections of a file of cases for ``policy test``."""

_ID = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"
_CLOCK = r"(([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?|24:00)"
_LONGEST_NAME, _LONGEST_SENTENCE = 60, 200


def keys_of(section: str) -> Mapping[str, Key]:
    """The keys of a section by name."""
    return {key.name: key for key in (*KEYS, *CASE_KEYS) if key.section == section}


def _limit(name: str) -> Kind:
    most = MOST_COUNTED if name in COUNTED else None
    number = {"type": "integer", "minimum": 0, **({} if most is None else {"maximum": most})}
    range_ = "of 0 or more" if most is None else f"from 0 to {most:,}"

    def fits(value: Any) -> bool:
        if value == LIFTED:
            return True
        return type(value) is int and value >= 0 and (most is None or value <= most)

    wanted = f'a whole number {range_} (or "{LIFTED}" to lift the base\'s limit)'
    return Kind(wanted, {"anyOf": [number, {"const": LIFTED}]}, fits)


_RULE_ID = Kind(
    "a text of up to 64 letters, digits and - _ . that starts with a letter or a digit",
    {"type": "string", "pattern": f"^{_ID}$"},
    matching(_ID),
)
_EFFECTS = Kind(
    f"one of {', '.join(Effect)}, in quotes",
    {"enum": [str(effect) for effect in Effect]},
    is_text,
    "effect",
    tuple(map(str, Effect)),
)
_MASKS = Kind(
    f"names of columns, each with how it is shown: {', '.join(Mask)}",
    {"type": "object", "minProperties": 1, "additionalProperties": {"enum": [str(mask) for mask in Mask]}},
    are_named_texts,
    "mask",
    tuple(map(str, Mask)),
)
_CLOCKS = Kind(
    'a time in quotes from "00:00" to "24:00"',
    {"type": "string", "pattern": f"^{_CLOCK}$"},
    matching(_CLOCK),
)
_WINDOW = Kind("a table of days, from, to and timezone", {"type": "object"}, is_section, section=WHEN)
_RULES = Kind(
    "sections that each start with a line [[rules]], in two pairs of brackets",
    {"type": "array"},
    are_sections,
    section=RULE,
)
_POLICY = Kind(
    "a preset or a .toml file",
    {"type": "string", "minLength": 1},
    lambda value: is_text(value) and value.isprintable(),
)
_FILTER = text("a filter in quotes")
_TEXTS = list_of("a list of at least one text")

KEYS = (
    Key(
        TOP,
        "name",
        line(_LONGEST_NAME),
        "Shown in answers and logs. The file's name when left out.",
        '"sales"',
    ),
    Key(
        TOP,
        "extends",
        _POLICY,
        "The policy that this one builds on: a preset, or a file named from this file's folder.",
        '"sales-assistant"',
    ),
    Key(TOP, "remove", _TEXTS, "Ids of rules of the base that are left out.", '["ask-before-bulk"]'),
    Key(TOP, "rules", _RULES, "Any number of rules.", ""),
    Key(
        TOP,
        "limits",
        section_of("limits", LIMIT),
        "Upper bounds for all callers together; 0 means none at all.",
        "",
    ),
    Key(
        TOP,
        "hidden",
        section_of("hidden", ""),
        "Per table, columns that can be neither read, filtered, sorted by nor set.",
        "",
    ),
    Key(
        TOP,
        "audited",
        section_of("audited", ""),
        "Per table, columns whose written values are kept in the audit; of all others only the names are.",
        "",
    ),
    Key(
        TOP,
        "ask_after_reading",
        Kind("true or false", {"type": "boolean"}, lambda value: isinstance(value, bool)),
        "Whether a write needs a human once its caller has read text that strangers may have written.",
        "true",
    ),
    Key(
        RULE,
        "id",
        _RULE_ID,
        "Names the rule in refusals and explanations. Unique.",
        '"read-everything"',
        True,
    ),
    Key(RULE, "effect", _EFFECTS, "`confirm` lets it through once a human has agreed.", '"allow"', True),
    Key(
        RULE,
        "actions",
        list_of("a list of at least one action", "action", tuple(map(str, Action))),
        "What the rule is about.",
        '["read", "search"]',
        True,
    ),
    Key(
        RULE,
        "tables",
        list_of("a list of at least one table"),
        'Logical names, patterns such as `"new_*"`, or `["*"]` for every table.',
        '["account", "new_*"]',
        True,
    ),
    Key(
        RULE,
        "columns",
        _TEXTS,
        "Allowing: only these columns are let through. Denying: what touches one of them is denied.",
        '["name", "telephone1"]',
    ),
    Key(
        RULE,
        "masked",
        _MASKS,
        "Columns that are shown in part. They cannot be filtered, sorted by, aggregated or set.",
        '{ emailaddress1 = "domain" }',
    ),
    Key(
        RULE,
        "rows",
        _FILTER,
        "The rule is about these rows only. `@me`, `@my_team` and `@my_business_unit` stand for the caller.",
        '"ownerid eq @me"',
    ),
    Key(
        RULE, "values", _FILTER, "The rule is about writes of such values only.", '"estimatedvalue lt 100000"'
    ),
    Key(RULE, "roles", _TEXTS, "The rule is about callers who have one of these roles.", '["Salesperson"]'),
    Key(RULE, "users", _TEXTS, "The rule is about these callers.", '["ann@fabrikam.example"]'),
    Key(
        RULE,
        "when",
        _WINDOW,
        "The rule holds at these times only.",
        '{ days = ["mon"], from = "08:00", to = "18:00" }',
    ),
    Key(
        RULE,
        "environments",
        list_of("a list of at least one kind of environment", "kind of environment", KINDS_OF_ENVIRONMENT),
        "The rule holds in these kinds of environment only.",
        '["production"]',
    ),
    Key(
        WHEN,
        "days",
        list_of("a list of at least one day", "day", DAYS),
        "Every day when left out.",
        '["mon", "fri"]',
    ),
    Key(WHEN, "from", _CLOCKS, "When it begins. The start of the day when left out.", '"08:00"'),
    Key(
        WHEN,
        "to",
        _CLOCKS,
        "When it ends: the first moment after it. The end of the day when left out.",
        '"18:00"',
    ),
    Key(WHEN, "timezone", text("a name of a time zone"), "UTC when left out.", '"Europe/Berlin"'),
    *(
        Key(LIMIT, item.name, _limit(item.name), f"Most {LIMITS[item.name]}.", "30")
        for item in fields(Limits)
    ),
    Key(
        LIMIT,
        "each_caller",
        section_of(EACH_CALLER, EACH_CALLER),
        "Limits of each caller alone, beside those.",
        "",
    ),
    *(Key(EACH_CALLER, name, _limit(name), f"Most {LIMITS[name]}, by one caller.", "10") for name in COUNTED),
)
"""Every key there is."""

COLUMN_LIST = Key(
    "hidden",
    "columns",
    Kind(
        "a list of texts",
        {"type": "array", "items": {"type": "string"}},
        lambda value: value == [] or are_texts(value),
    ),
    "",
    '["birthdate"]',
)
"""What a table of ``[hidden]`` holds."""

_OBJECT = Kind("a table of names and values", {"type": "object"}, is_section)
_OUTCOMES = tuple(map(str, Outcome))

CASE_KEYS = (
    Key(CASES, "policy", _POLICY, "The policy, where none is named.", '"team.toml"'),
    Key(
        CASES,
        "cases",
        Kind("sections that each start with a line [[cases]]", {"type": "array"}, are_sections, section=CASE),
        "Any number of cases.",
        "",
        True,
    ),
    Key(
        CASE,
        "name",
        line(_LONGEST_SENTENCE),
        "What the case shows, in a sentence.",
        '"Nobody deletes leads"',
        True,
    ),
    Key(CASE, "tool", text("the name of a tool"), "The tool that is called.", '"delete_lead"'),
    Key(CASE, "arguments", _OBJECT, "What it is called with.", "{ top = 5 }"),
    Key(
        CASE,
        "action",
        Kind("an action in quotes", {}, is_text, "action", tuple(map(str, Action))),
        "In place of a tool: what is done to `table`.",
        '"delete"',
    ),
    Key(CASE, "table", text("the name of a table"), "The table that the action is done to.", '"lead"'),
    Key(CASE, "columns", _TEXTS, "The columns that the action reads, or writes.", '["fullname"]'),
    Key(CASE, "values", _OBJECT, "What the action writes.", "{ estimatedvalue = 5000 }"),
    Key(
        CASE,
        "user",
        text("a name in quotes"),
        "Who calls. Nobody in particular if left out.",
        '"ann@fabrikam.example"',
    ),
    Key(CASE, "roles", _TEXTS, "The roles of who calls.", '["Salesperson"]'),
    Key(
        CASE,
        "environment",
        Kind("a kind of environment in quotes", {}, is_text, "kind of environment", KINDS_OF_ENVIRONMENT),
        "The kind of environment. Not known if left out.",
        '"production"',
    ),
    Key(
        CASE,
        "at",
        Kind("a date and time", {}, lambda value: isinstance(value, datetime)),
        "When; UTC unless it says another. Now if left out.",
        "2026-05-04T10:00:00Z",
    ),
    Key(
        CASE,
        "expect",
        Kind(f"one of {', '.join(_OUTCOMES)}, in quotes", {}, is_text, "outcome", _OUTCOMES),
        "What the policy has to decide.",
        '"denied"',
        True,
    ),
    Key(
        CASE,
        "rules",
        Kind("a list of texts", {}, COLUMN_LIST.kind.fits),
        "Exactly what has to decide it: rules, `hidden:table.column` or `limit:name`.",
        '["never-delete"]',
    ),
    Key(
        CASE,
        "masked",
        Kind(
            "names of columns, each with its mask",
            {},
            lambda value: value == {} or are_named_texts(value),
            "mask",
            tuple(map(str, Mask)),
        ),
        "Exactly the columns that have to be masked.",
        '{ telephone1 = "last four" }',
    ),
    Key(
        CASE,
        "narrowed",
        Kind("true or false", {}, lambda value: isinstance(value, bool)),
        "Whether it has to be narrowed to some rows.",
        "true",
    ),
)
"""Every key of a file of cases."""
