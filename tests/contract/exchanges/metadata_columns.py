"""Columns of each type that are added to a table, changed and removed, and rows that use them at once."""

from typing import Any

from tests.contract.exchange import Exchange, Step, a_guid, anything, containing, error, matching

_COLUMNS = "power-apps/developer/data-platform/webapi/create-update-column-definitions-using-web-api"
_TABLES = "power-apps/developer/data-platform/webapi/create-update-entity-definitions-using-web-api"
_LINKS = "power-apps/developer/data-platform/webapi/create-update-entity-relationships-using-web-api"
_KEYS = "power-apps/developer/data-platform/define-alternate-keys-entity"
_DOCUMENT = "power-apps/developer/data-platform/webapi/web-api-service-documents"
_CRM = "Microsoft.Dynamics.CRM"
_PROJECT = "EntityDefinitions(LogicalName='new_project')"
_NONE = {
    "Value": "None",
    "CanBeChanged": True,
    "ManagedPropertyLogicalName": "canmodifyrequirementlevelsettings",
}


def _label(text: str) -> dict[str, Any]:
    localized = {"@odata.type": f"{_CRM}.LocalizedLabel", "Label": text, "LanguageCode": 1033}
    return {"@odata.type": f"{_CRM}.Label", "LocalizedLabels": [localized]}


def _definition(kind: str, name: str, **values: Any) -> dict[str, Any]:
    return {
        "@odata.type": f"{_CRM}.{kind}AttributeMetadata",
        "SchemaName": name,
        "DisplayName": _label(name),
        "RequiredLevel": _NONE,
        **values,
    }


def _add(kind: str, name: str, **values: Any) -> Step:
    return Step(
        "POST",
        f"{_PROJECT}/Attributes",
        204,
        _definition(kind, name, **values),
        headers={"OData-EntityId": matching(r"/Attributes\([0-9a-f-]{36}\)$")},
        capture={"column": "OData-EntityId"},
    )


def _options(**labels: int) -> dict[str, Any]:
    options = [{"Value": value, "Label": _label(text)} for text, value in labels.items()]
    return {"OptionSet": {"OptionSetType": "Picklist", "IsGlobal": False, "Options": options}}


def _make(**values: Any) -> Step:
    return Step("POST", "new_projects", 204, {"new_projectid": "{new1}", "new_name": "P", **values})


def _refused(code: str | None = None, **values: Any) -> Step:
    expected = {"error": {"code": anything}} if code is None else error(code)
    return Step("POST", "new_projects", 400, {"new_name": "P", **values}, json=expected)


def _row(path: str, **values: Any) -> Step:
    return Step("GET", path, 200, json=values)


_BANK = {
    "@odata.type": f"{_CRM}.EntityMetadata",
    "Attributes": [_definition("String", "new_AccountName", IsPrimaryName=True, MaxLength=100)],
    "DisplayCollectionName": _label("Bank Accounts"),
    "DisplayName": _label("Bank Account"),
    "HasActivities": False,
    "HasNotes": False,
    "IsActivity": False,
    "OwnershipType": "UserOwned",
    "SchemaName": "new_BankAccount",
}

EXCHANGES = [
    Exchange(
        "a text column is added with its longest length",
        _COLUMNS,
        (
            _add("String", "new_BankName", MaxLength=10, FormatName={"Value": "Text"}),
            _make(new_bankname="Contoso"),
            _row("new_projects({new1})?$select=new_bankname", new_bankname="Contoso"),
            _refused("0x80044331", new_bankname="x" * 11),
        ),
    ),
    Exchange(
        "a whole number column is added with its range",
        _COLUMNS,
        (
            _add("Integer", "new_Count", MinValue=0, MaxValue=100, Format="None"),
            _make(new_count=100),
            _row("new_projects?$select=new_count&$filter=new_count gt 99", value=[{"new_count": 100}]),
            _refused(new_count=101),
        ),
    ),
    Exchange(
        "a decimal column is added with its range and digits",
        _COLUMNS,
        (
            _add("Decimal", "new_Share", MinValue=0.0, MaxValue=100.0, Precision=1),
            _make(new_share=99.5),
            _row("new_projects({new1})?$select=new_share", new_share=99.5),
            _refused(new_share=100.5),
        ),
    ),
    Exchange(
        "a memo column is added",
        _COLUMNS,
        (
            _add("Memo", "new_Remarks", Format="TextArea", ImeMode="Disabled", MaxLength=500),
            _make(new_remarks="Line 1\nLine 2"),
            _row("new_projects({new1})?$select=new_remarks", new_remarks="Line 1\nLine 2"),
        ),
    ),
    Exchange(
        "a choice column is added with options of its own",
        _COLUMNS,
        (
            _add("Picklist", "new_Phase", **_options(Bravo=727000000, Delta=727000001)),
            _make(new_phase=727000001),
            Step(
                "GET",
                "new_projects({new1})?$select=new_phase",
                200,
                sent={"Prefer": 'odata.include-annotations="OData.Community.Display.V1.FormattedValue"'},
                json={
                    "new_phase": 727000001,
                    "new_phase@OData.Community.Display.V1.FormattedValue": "Delta",
                },
            ),
            _refused("0x8004431a", new_phase=5),
        ),
    ),
    Exchange(
        "a column of several choices is added with options of its own",
        _COLUMNS,
        (
            _add("MultiSelectPicklist", "new_Areas", **_options(North=1, South=2)),
            _make(new_areas="1,2"),
            _row("new_projects({new1})?$select=new_areas", new_areas="1,2"),
        ),
    ),
    Exchange(
        "a big number column is added",
        _COLUMNS,
        (
            _add("BigInt", "new_Serial"),
            _make(new_serial=9007199254740991),
            _row("new_projects({new1})?$select=new_serial", new_serial=9007199254740991),
        ),
    ),
    Exchange(
        "a Boolean column that is added has its default in new rows",
        _COLUMNS,
        (
            _add(
                "Boolean",
                "new_Checked",
                DefaultValue=True,
                OptionSet={
                    "OptionSetType": "Boolean",
                    "TrueOption": {"Value": 1, "Label": _label("True")},
                    "FalseOption": {"Value": 0, "Label": _label("False")},
                },
            ),
            _make(),
            _row("new_projects({new1})?$select=new_checked", new_checked=True),
        ),
    ),
    Exchange(
        "a date column without a time is added",
        _COLUMNS,
        (
            _add("DateTime", "new_Due", Format="DateOnly", DateTimeBehavior={"Value": "DateOnly"}),
            _make(new_due="2027-02-28"),
            _row("new_projects({new1})?$select=new_due", new_due="2027-02-28"),
        ),
    ),
    Exchange(
        "rows that were there before have no value in an added column",
        _COLUMNS,
        (
            _make(),
            _add("String", "new_Later", MaxLength=10),
            _row("new_projects({new1})?$select=new_later", new_later=None),
        ),
    ),
    Exchange(
        "a column's label is changed by PUT",
        _COLUMNS,
        (
            _add("String", "new_BankName", MaxLength=10),
            Step(
                "PUT",
                "{column}",
                204,
                _definition("String", "new_BankName", MaxLength=10)
                | {"DisplayName": _label("Bank Name Updated"), "LogicalName": "new_bankname"},
                {"MSCRM.MergeLabels": "true"},
            ),
            _row(
                "{column}?$select=DisplayName",
                DisplayName={"UserLocalizedLabel": {"Label": "Bank Name Updated"}},
            ),
        ),
    ),
    Exchange(
        "a column of several choices has the type Virtual",
        _COLUMNS,
        (
            _row(
                f"{_PROJECT}/Attributes(LogicalName='new_tags')?$select=AttributeType,AttributeTypeName",
                AttributeType="Virtual",
                AttributeTypeName={"Value": "MultiSelectPicklistType"},
            ),
        ),
    ),
    Exchange(
        "a column becomes required by an application through PUT",
        _COLUMNS,
        (
            _add("String", "new_BankName", MaxLength=10),
            Step(
                "PUT",
                f"{_PROJECT}/Attributes(LogicalName='new_bankname')",
                204,
                _definition("String", "new_BankName", MaxLength=10)
                | {"LogicalName": "new_bankname", "RequiredLevel": {**_NONE, "Value": "ApplicationRequired"}},
                {"MSCRM.MergeLabels": "true"},
            ),
            _row("{column}?$select=RequiredLevel", RequiredLevel={"Value": "ApplicationRequired"}),
        ),
    ),
    Exchange(
        "a deleted column is no property of rows any more",
        _COLUMNS,
        (
            _add("String", "new_BankName", MaxLength=10),
            Step("DELETE", "{column}", 204),
            _refused("0x80048d19", new_bankname="x"),
        ),
    ),
    Exchange(
        "an added column is described in the CSDL document",
        _DOCUMENT,
        (
            _add("Integer", "new_Count"),
            Step("GET", "$metadata", 200, text=matching('<Property Name="new_count" Type="Edm.Int32"')),
        ),
    ),
    Exchange(
        "a table is created together with further columns",
        _COLUMNS,
        (
            Step(
                "POST",
                "EntityDefinitions",
                204,
                {**_BANK, "Attributes": [*_BANK["Attributes"], _definition("Integer", "new_Number")]},
            ),
            Step("POST", "new_bankaccounts", 204, {"new_accountname": "Savings", "new_number": 3}),
            _row("new_bankaccounts?$select=new_number", value=[{"new_number": 3}]),
        ),
    ),
    Exchange(
        "a new table has the columns of every table that users own",
        _TABLES,
        (
            Step("POST", "EntityDefinitions", 204, _BANK),
            Step("POST", "new_bankaccounts", 204, {"new_accountname": "Savings"}),
            _row(
                "new_bankaccounts",
                value=[
                    {
                        "new_accountname": "Savings",
                        "new_bankaccountid": a_guid,
                        "_ownerid_value": a_guid,
                        "statecode": 0,
                        "statuscode": 1,
                        "createdon": anything,
                    }
                ],
            ),
            _row("", value=containing({"name": "new_bankaccounts"})),
        ),
    ),
    Exchange(
        "a table whose name is taken is refused",
        _TABLES,
        (
            Step("POST", "EntityDefinitions", 204, _BANK),
            Step("POST", "EntityDefinitions", 400, _BANK, json={"error": {"code": anything}}),
        ),
    ),
    Exchange(
        "a table without a primary column is refused",
        _TABLES,
        (
            Step(
                "POST",
                "EntityDefinitions",
                400,
                {**_BANK, "Attributes": []},
                json={"error": {"code": anything}},
            ),
            Step("GET", "new_bankaccounts", 404),
        ),
    ),
    Exchange(
        "a many-to-many relationship that is created links rows",
        _LINKS,
        (
            Step(
                "POST",
                "RelationshipDefinitions",
                204,
                {
                    "@odata.type": f"{_CRM}.ManyToManyRelationshipMetadata",
                    "SchemaName": "new_projects_accounts",
                    "Entity1LogicalName": "new_project",
                    "Entity2LogicalName": "account",
                    "IntersectEntityName": "new_projects_accounts",
                },
            ),
            _make(),
            Step("POST", "accounts", 204, {"accountid": "{new2}", "name": "A"}),
            Step(
                "POST",
                "new_projects({new1})/new_projects_accounts/$ref",
                204,
                {"@odata.id": "{root}accounts({new2})"},
            ),
            _row("accounts({new2})/new_projects_accounts?$select=new_name", value=[{"new_name": "P"}]),
        ),
    ),
    Exchange(
        "an alternate key of two columns names rows and is removed",
        _KEYS,
        (
            Step(
                "POST",
                f"{_PROJECT}/Keys",
                204,
                {
                    "SchemaName": "new_NameProgress",
                    "DisplayName": _label("Name and progress"),
                    "KeyAttributes": ["new_name", "new_progress"],
                },
                capture={"key": "OData-EntityId"},
            ),
            _make(new_progress=7),
            _row("new_projects(new_name='P',new_progress=7)?$select=new_name", new_projectid="{new1}"),
            Step("DELETE", "{key}", 204),
            Step("GET", "new_projects(new_name='P',new_progress=7)", 400),
        ),
    ),
]
