"""The tools of more than one table: their names, what a model reads of them, and their arguments.

Every conversation pays for these words, so each says only what a model would otherwise get wrong.
"""

from __future__ import annotations

from typing import Any

from crm_tools.activities import ACTIVITY_TYPES
from crm_tools.schemas import DRY_RUN, FORMAT, STRING, JsonSchema
from crm_tools.summaries import MOST_SHOWN

_TEXTS: JsonSchema = {"type": "array", "items": STRING}
_WHERE: JsonSchema = {
    "type": "array",
    "items": {"type": "object"},
    "description": '[{"column","op","value"}], {"any":[...]}; op eq ne gt ge lt le contains startswith in '
    "between null not_null last_days next_days; lookups by name, owner also me",
}
_FILTER: JsonSchema = {"type": "string", "description": "OData, instead of where"}
_MAX_TOKENS: JsonSchema = {"type": "integer", "minimum": 100, "maximum": 100_000}
_TOP: JsonSchema = {"type": "integer", "minimum": 1, "maximum": MOST_SHOWN}
_DATE: JsonSchema = {"type": "string", "format": "date"}
_RECORD: JsonSchema = {"type": "string", "description": "Name, e-mail, number or id"}
_VALUES: JsonSchema = {
    "type": "object",
    "description": "Column to value; choices by label, lookups by name",
}


def _choice(*words: str) -> JsonSchema:
    return {"type": "string", "enum": list(words)}


def _about(words: str) -> JsonSchema:
    return {"type": "string", "description": words}


def _input(properties: dict[str, Any], *required: str) -> JsonSchema:
    schema: JsonSchema = {"type": "object", "properties": properties}
    if required:
        schema["required"] = list(required)
    return {**schema, "additionalProperties": False}


FIND_RECORDS = _input(
    {
        "text": STRING,
        "tables": {**_TEXTS, "description": "Default account, contact, lead, opportunity"},
        "top": {**_TOP, "maximum": 50},
        "max_tokens": _MAX_TOKENS,
    },
    "text",
)
GET_OVERVIEW = _input(
    {
        "record": _RECORD,
        "table": _choice("account", "contact", "lead", "opportunity"),
        "max_tokens": _MAX_TOKENS,
    },
    "record",
)
SUMMARIZE_RECORDS = _input(
    {
        "table": STRING,
        "measures": {**_TEXTS, "description": "count, sum estimatedvalue, average, min, max"},
        "by": {**_TEXTS, "description": "Columns; a date with :month, :quarter or :year"},
        "where": _WHERE,
        "filter": _FILTER,
        "top": _TOP,
        "max_tokens": _MAX_TOKENS,
    },
    "table",
)
LIST_TABLES = _input({})
DESCRIBE_TABLE = _input({"table": STRING}, "table")
WHOAMI = _input({})

QUALIFY_LEAD = _input(
    {
        "lead": _RECORD,
        "account": _about("Existing one to use, new, or none"),
        "contact": _about("As account"),
        "opportunity": {"type": "boolean", "default": True},
        "dry_run": DRY_RUN,
    },
    "lead",
)
CLOSE_OPPORTUNITY = _input(
    {
        "opportunity": _RECORD,
        "outcome": _choice("won", "lost"),
        "value": {"type": "number", "description": "Actual revenue"},
        "date": _DATE,
        "reason": _about("Status reason: Canceled or Out-Sold if lost"),
        "note": {**STRING, "maxLength": 2000, "description": "Why, in the user's words"},
        "dry_run": DRY_RUN,
    },
    "opportunity",
    "outcome",
)
REOPEN_OPPORTUNITY = _input({"opportunity": _RECORD, "dry_run": DRY_RUN}, "opportunity")
LOG_ACTIVITY = _input(
    {
        "type": _choice(*ACTIVITY_TYPES),
        "about": _RECORD,
        "about_table": _choice("account", "contact", "lead", "opportunity"),
        "subject": {**STRING, "maxLength": 200},
        "text": STRING,
        "when": _about("Due, or start of a meeting: 2026-12-31T15:00"),
        "until": _about("End of a meeting"),
        "direction": _choice("in", "out"),
        "done": {"type": "boolean", "description": "It took place"},
        "dry_run": DRY_RUN,
    },
    "type",
    "about",
    "subject",
)

FIND_DUPLICATES = _input(
    {
        "table": _choice("account", "contact", "lead"),
        "record": _RECORD,
        "name": STRING,
        "email": STRING,
        "phone": STRING,
    },
    "table",
)
MERGE_RECORDS = _input(
    {
        "table": _choice("account", "contact", "lead"),
        "keep": _RECORD,
        "merge": {**_RECORD, "description": "The one that goes"},
        "take": {**_TEXTS, "description": "Columns to take from the one that goes"},
        "dry_run": DRY_RUN,
    },
    "table",
    "keep",
    "merge",
)
LINK_RECORDS = _input(
    {
        "table": STRING,
        "record": _RECORD,
        "to_table": STRING,
        "to": _RECORD,
        "relationship": _about("Lookup or list, if several fit"),
        "unlink": {"type": "boolean"},
        "dry_run": DRY_RUN,
    },
    "table",
    "record",
    "to_table",
    "to",
)
ASSIGN_RECORD = _input(
    {"table": STRING, "record": _RECORD, "to": _about("User or team"), "dry_run": DRY_RUN},
    "table",
    "record",
    "to",
)

QUERY_RECORDS = _input(
    {
        "table": STRING,
        "view": _about("Saved view by name"),
        "columns": _TEXTS,
        "where": _WHERE,
        "filter": _FILTER,
        "orderby": _about("createdon desc"),
        "top": {**_TOP, "default": 20},
        "cursor": _about("From the last page, with table alone"),
        "count": {"type": "boolean"},
        "format": FORMAT,
        "max_tokens": _MAX_TOKENS,
    },
    "table",
)
GET_RECORD = _input(
    {"table": STRING, "record": _RECORD, "columns": _TEXTS, "expand": _TEXTS, "format": FORMAT},
    "table",
    "record",
)
CREATE_RECORD = _input({"table": STRING, "values": _VALUES, "dry_run": DRY_RUN}, "table", "values")
UPDATE_RECORD = _input(
    {"table": STRING, "record": _RECORD, "values": _VALUES, "etag": STRING, "dry_run": DRY_RUN},
    "table",
    "record",
    "values",
)
DELETE_RECORD = _input(
    {"table": STRING, "record": _RECORD, "etag": STRING, "dry_run": DRY_RUN}, "table", "record"
)

IMPORT_RECORDS = _input(
    {
        "table": STRING,
        "file": _about("CSV in the folder for files"),
        "rows": {"type": "array", "items": {"type": "object"}, "description": "Instead of file"},
        "mapping": {
            "type": "object",
            "description": "Name in the source to column, null to leave out; only what differs",
        },
        "mode": _choice("create", "update"),
        "match_on": _about("Column that tells which records exist"),
        "job": _about("Carries out, or goes on with, what was shown; alone"),
    }
)
EXPORT_RECORDS = _input(
    {
        "table": STRING,
        "columns": _TEXTS,
        "where": _WHERE,
        "filter": _FILTER,
        "orderby": STRING,
        "most": {"type": "integer", "minimum": 1, "maximum": 50_000},
        "file": _about("New .csv or .jsonl; without it at most 200 rows, in the answer"),
    },
    "table",
)

LIST_VIEWS = _input({"table": STRING}, "table")
COMPLETE = _input(
    {
        "kind": _choice("table", "column", "label", "record", "view"),
        "table": STRING,
        "column": STRING,
        "text": STRING,
    },
    "kind",
    "text",
)

DESCRIPTIONS = {
    "find_records": "Find records by words, across tables.",
    "get_overview": "A record at a glance: key facts, people, open opportunities and their value, tasks, "
    "latest activities and notes.",
    "summarize_records": "Totals of matching records, by column or period: pipeline, counts, averages.",
    "list_tables": "Tables that can be worked with.",
    "describe_table": "A table's columns: types, choices, what is required.",
    "whoami": "User, environment, what the policy allows, limits left.",
    "qualify_lead": "Turn a lead into account, contact and opportunity. Asks back if they seem to exist.",
    "close_opportunity": "Close an opportunity as won or lost.",
    "reopen_opportunity": "Open a closed opportunity again.",
    "log_activity": "Log or plan a call, meeting, task or note about a record.",
    "find_duplicates": "Records like one, or like a name, e-mail address or phone number.",
    "merge_records": "Merge two records into the one kept. Cannot be undone; may ask a human.",
    "link_records": "Connect two records, or take them apart.",
    "assign_record": "Give a record to another user or team.",
    "import_records": "Create or change many records. Shows mapping and problems first, and gives a job; "
    "called with job it writes.",
    "export_records": "Write matching records to a file.",
    "query_records": "Records of any table that match.",
    "get_record": "One record of any table.",
    "create_record": "Create a record of any table.",
    "update_record": "Change a record: only the values given; null clears. Never creates.",
    "delete_record": "Delete a record and what depends on it. May ask a human first.",
}
