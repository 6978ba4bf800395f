"""Bulk messages: what belongs in their targets, duplicates among them, numbers; jobs that delete."""

from typing import Any

from tests.contract.exchange import Exchange, Step, a_guid, anything, counting, error

_BULK = "power-apps/developer/data-platform/bulk-operations"
_DELETE = "power-apps/developer/data-platform/delete-data-bulk"
_CRM = "Microsoft.Dynamics.CRM"
_PROJECTS = "new_projects?$select=new_name,new_code&$orderby=new_code"


def _account(key: int | None = None, **values: Any) -> dict[str, Any]:
    named = {} if key is None else {"accountid": f"{{new{key}}}"}
    return {"@odata.type": f"{_CRM}.account", **named, **values}


def _project(code: str, **values: Any) -> dict[str, Any]:
    where = f"new_projects(new_code='{code}')"
    return {"@odata.type": f"{_CRM}.new_project", "@odata.id": where, **values}


def _send(message: str, status: int, *targets: Any, table: str = "accounts", **expected: Any) -> Step:
    return Step("POST", f"{table}/{_CRM}.{message}", status, {"Targets": list(targets)}, **expected)


def _row(path: str, **values: Any) -> Step:
    return Step("GET", path, 200, json=values)


def _run(*queries: Any, **more: Any) -> Step:
    return Step("POST", "BulkDelete", 200, _job(*queries, **more))


def _job(*queries: Any, **more: Any) -> dict[str, Any]:
    return {
        "QuerySet": list(queries),
        "JobName": "Clean up",
        "SendEmailNotification": False,
        "ToRecipients": [],
        "CCRecipients": [],
        "RecurrencePattern": "",
        "StartDateTime": "2026-11-23T09:30:00Z",
        **more,
    }


def _where(table: str, *conditions: tuple[str, str, Any], operator: str = "And") -> dict[str, Any]:
    return {
        "@odata.type": f"{_CRM}.QueryExpression",
        "EntityName": table,
        "ColumnSet": {"AllColumns": True},
        "Distinct": False,
        "Criteria": {
            "FilterOperator": operator,
            "Conditions": [
                {
                    "AttributeName": column,
                    "Operator": test,
                    "Values": [{"Value": value, "Type": "System.String"}],
                }
                for column, test, value in conditions
            ],
        },
    }


_MAKE = tuple(
    Step("POST", "accounts", 204, {"accountid": f"{{new{number}}}", "name": name, "accountnumber": "Z1"})
    for number, name in ((1, "First"), (2, "Second"))
)
_GONE = tuple(Step("GET", f"accounts({{new{number}}})", 404) for number in (1, 2))

EXCHANGES = [
    Exchange(
        "the keys of rows created together come in the order of the targets",
        _BULK,
        (
            _send(
                "CreateMultiple",
                200,
                *(_account(name=name) for name in "BCA"),
                json={
                    "@odata.context": f"{{root}}$metadata#{_CRM}.CreateMultipleResponse",
                    "Ids": [a_guid] * 3,
                },
                capture={"first": "Ids.0", "third": "Ids.2"},
            ),
            _row("accounts({first})?$select=name", name="B"),
            _row("accounts({third})?$select=name", name="A"),
        ),
    ),
    Exchange(
        "rows that are created together keep the keys that the client chose",
        _BULK,
        (
            _send(
                "CreateMultiple",
                200,
                _account(1, name="A"),
                _account(2, name="B"),
                json={"Ids": ["{new1}", "{new2}"]},
            ),
        ),
    ),
    Exchange(
        "rows that are created together are bound to other rows",
        _BULK,
        (
            _MAKE[0],
            _send(
                "CreateMultiple",
                200,
                _account(3, **{"name": "C", "parentaccountid@odata.bind": "accounts({new1})"}),
            ),
            _row("accounts({new3})?$select=_parentaccountid_value", _parentaccountid_value="{new1}"),
        ),
    ),
    Exchange(
        "rows of a table of the organization's own are created together",
        _BULK,
        (
            _send(
                "CreateMultiple",
                200,
                {"@odata.type": f"{_CRM}.new_project", "new_name": "A", "new_code": "1"},
                {"@odata.type": f"{_CRM}.new_project", "new_name": "B", "new_code": "2"},
                table="new_projects",
                json={"Ids": counting(2)},
            ),
            _row(_PROJECTS, value=[{"new_name": "A"}, {"new_name": "B"}]),
        ),
    ),
    Exchange(
        "no row is created when the key of one is taken",
        _BULK,
        (
            _MAKE[0],
            _send(
                "CreateMultiple",
                412,
                _account(3, name="C"),
                _account(1, name="Again"),
                json=error("0x80040237"),
            ),
            Step("GET", "accounts({new3})", 404),
        ),
    ),
    Exchange(
        "no row is created when one binds a row that does not exist",
        _BULK,
        (
            _send(
                "CreateMultiple",
                404,
                _account(3, name="C"),
                _account(name="D", **{"parentaccountid@odata.bind": "accounts({new9})"}),
            ),
            Step("GET", "accounts({new3})", 404),
        ),
    ),
    Exchange(
        "a target of another table is refused",
        _BULK,
        (
            _send(
                "CreateMultiple",
                400,
                {"@odata.type": f"{_CRM}.contact", "lastname": "x"},
                json={"error": {"code": anything}},
            ),
        ),
    ),
    Exchange(
        "a bulk message without its targets is refused",
        _BULK,
        (Step("POST", f"accounts/{_CRM}.CreateMultiple", 400, {}, json={"error": {"code": anything}}),),
    ),
    Exchange(
        "the number of targets has no fixed limit",
        _BULK,
        (
            _send(
                "CreateMultiple",
                200,
                *(_account(name=f"Many {number}") for number in range(1001)),
                json={"Ids": counting(1001)},
            ),
        ),
    ),
    Exchange(
        "an update of many rows changes only the columns that each target names",
        _BULK,
        (
            *_MAKE,
            _send("UpdateMultiple", 204, _account(1, telephone1="1"), _account(2, name="Renamed"), text=""),
            _row("accounts({new1})?$select=name,telephone1", name="First", telephone1="1"),
            _row("accounts({new2})?$select=name,accountnumber", name="Renamed", accountnumber="Z1"),
        ),
    ),
    Exchange(
        "an update of many rows with a value that is refused changes none",
        _BULK,
        (
            *_MAKE,
            _send(
                "UpdateMultiple",
                400,
                _account(1, name="Changed"),
                _account(2, accountnumber="x" * 21),
                json=error("0x80044331"),
            ),
            _row("accounts({new1})?$select=name", name="First"),
        ),
    ),
    Exchange(
        "of several targets with one key an update of many rows takes the first",
        _BULK,
        (
            *_MAKE,
            _send("UpdateMultiple", 204, _account(1, name="Taken"), _account(1, name="Ignored")),
            _row("accounts({new1})?$select=name", name="Taken"),
        ),
    ),
    Exchange(
        "an upsert of many rows answers no content, whether it created or updated",
        _BULK,
        (
            Step("POST", "new_projects", 204, {"new_code": "1", "new_name": "Old", "new_rating": 5}),
            _send(
                "UpsertMultiple",
                204,
                _project("1", new_name="New"),
                _project("2", new_name="Created"),
                table="new_projects",
                text="",
            ),
            _row(
                "new_projects?$select=new_name,new_rating&$orderby=new_code",
                value=[{"new_name": "New", "new_rating": 5}, {"new_name": "Created", "new_rating": None}],
            ),
        ),
    ),
    Exchange(
        "an upsert of many rows in which two have one alternate key is refused",
        _BULK,
        (
            Step(
                "POST",
                f"new_projects/{_CRM}.UpsertMultiple",
                400,
                {"Targets": [_project("1", new_name="A"), _project("1", new_name="B")]},
                json={"error": {"code": anything}},
            ),
            _row("new_projects?$select=new_name", value=[]),
        ),
    ),
    Exchange(
        "an upsert of many rows with a value that is refused writes none",
        _BULK,
        (
            _send(
                "UpsertMultiple",
                400,
                _project("1", new_name="A"),
                _project("2", new_name="x" * 101),
                table="new_projects",
                json=error("0x80044331"),
            ),
            _row("new_projects?$select=new_name", value=[]),
        ),
    ),
    Exchange(
        "an upsert of many rows takes primary keys too",
        _BULK,
        (
            _MAKE[0],
            _send("UpsertMultiple", 204, _account(1, name="Updated"), _account(3, name="Created")),
            _row("accounts({new1})?$select=name", name="Updated"),
            _row("accounts({new3})?$select=name", name="Created"),
        ),
    ),
    Exchange(
        "a bulk job answers its key with the context of its response",
        _DELETE,
        (
            Step(
                "POST",
                "BulkDelete",
                200,
                _job(_where("account", ("name", "Equal", "Nobody"))),
                json={"@odata.context": f"{{root}}$metadata#{_CRM}.BulkDeleteResponse", "JobId": a_guid},
            ),
        ),
    ),
    Exchange(
        "a bulk job deletes what fits all of its conditions",
        _DELETE,
        (
            *_MAKE,
            _run(_where("account", ("accountnumber", "Equal", "Z1"), ("name", "Equal", "Second"))),
            _row("accounts({new1})?$select=name", name="First"),
            _GONE[1],
        ),
    ),
    Exchange(
        "a bulk job deletes what fits any of its conditions when they are joined so",
        _DELETE,
        (
            *_MAKE,
            _run(_where("account", ("name", "Equal", "First"), ("name", "Equal", "Second"), operator="Or")),
            *_GONE,
        ),
    ),
    Exchange(
        "a bulk job deletes rows of several tables",
        _DELETE,
        (
            *_MAKE,
            Step("POST", "new_projects", 204, {"new_projectid": "{new3}", "new_name": "Stale"}),
            _run(
                _where("account", ("accountnumber", "Equal", "Z1")),
                _where("new_project", ("new_name", "Equal", "Stale")),
            ),
            *_GONE,
            Step("GET", "new_projects({new3})", 404),
        ),
    ),
    Exchange(
        "a bulk job without conditions deletes all rows of its table",
        _DELETE,
        (
            Step("POST", "new_projects", 204, {"new_name": "A"}),
            Step("POST", "new_projects", 204, {"new_name": "B"}),
            _run(
                {
                    "@odata.type": f"{_CRM}.QueryExpression",
                    "EntityName": "new_project",
                    "ColumnSet": {"AllColumns": True},
                    "Distinct": False,
                },
                Options={"CanRecoverDeletedRecords": False},
            ),
            _row("new_projects", value=[]),
        ),
    ),
    Exchange(
        "a bulk job deletes by the rules of the relationships",
        _DELETE,
        (
            _MAKE[0],
            Step(
                "POST",
                "contacts",
                204,
                {
                    "contactid": "{new3}",
                    "lastname": "Goes too",
                    "parentcustomerid_account@odata.bind": "accounts({new1})",
                },
            ),
            _run(_where("account", ("accountnumber", "Equal", "Z1"))),
            Step("GET", "contacts({new3})", 404),
        ),
    ),
]
