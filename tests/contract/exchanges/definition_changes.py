"""Definitions of tables, columns, keys and relationships that clients make, change and remove."""

from tests.contract.exchange import (
    Exchange,
    Step,
    containing,
    counting,
    error,
    matching,
)

_TABLES = "power-apps/developer/data-platform/webapi/create-update-entity-definitions-using-web-api"
_COLUMNS = "power-apps/developer/data-platform/webapi/create-update-column-definitions-using-web-api"
_LINKS = "power-apps/developer/data-platform/webapi/create-update-entity-relationships-using-web-api"
_KEYS = "power-apps/developer/data-platform/define-alternate-keys-entity"

_CRM = "Microsoft.Dynamics.CRM"
_BANK = "EntityDefinitions(LogicalName='new_bankaccount')"


def _label(text):
    localized = {"@odata.type": f"{_CRM}.LocalizedLabel", "Label": text, "LanguageCode": 1033}
    return {"@odata.type": f"{_CRM}.Label", "LocalizedLabels": [localized]}


def _said(text):
    return {"UserLocalizedLabel": {"Label": text, "LanguageCode": 1033}}


_REQUIRED = {
    "Value": "None",
    "CanBeChanged": True,
    "ManagedPropertyLogicalName": "canmodifyrequirementlevelsettings",
}
_NEW_TABLE = Step(
    "POST",
    "EntityDefinitions",
    204,
    {
        "@odata.type": f"{_CRM}.EntityMetadata",
        "Attributes": [
            {
                "@odata.type": f"{_CRM}.StringAttributeMetadata",
                "AttributeType": "String",
                "AttributeTypeName": {"Value": "StringType"},
                "Description": _label("Type the name of the bank account"),
                "DisplayName": _label("Account Name"),
                "IsPrimaryName": True,
                "RequiredLevel": _REQUIRED,
                "SchemaName": "new_AccountName",
                "FormatName": {"Value": "Text"},
                "MaxLength": 100,
            }
        ],
        "Description": _label("A table to store information about customer bank accounts"),
        "DisplayCollectionName": _label("Bank Accounts"),
        "DisplayName": _label("Bank Account"),
        "HasActivities": False,
        "HasNotes": False,
        "IsActivity": False,
        "OwnershipType": "UserOwned",
        "SchemaName": "new_BankAccount",
    },
    headers={"OData-EntityId": matching(r"/EntityDefinitions\([0-9a-f-]{36}\)$")},
    capture={"table": "OData-EntityId"},
)
_CHECK_COLUMN = {
    "@odata.type": f"{_CRM}.BooleanAttributeMetadata",
    "AttributeType": "Boolean",
    "AttributeTypeName": {"Value": "BooleanType"},
    "DefaultValue": False,
    "DisplayName": _label("Sample Boolean"),
    "RequiredLevel": _REQUIRED,
    "SchemaName": "new_Boolean",
    "OptionSet": {
        "OptionSetType": "Boolean",
        "TrueOption": {"Value": 1, "Label": _label("True")},
        "FalseOption": {"Value": 0, "Label": _label("False")},
    },
}
_LOOKUP = {
    "@odata.type": f"{_CRM}.OneToManyRelationshipMetadata",
    "SchemaName": "new_contact_new_bankaccount",
    "ReferencedAttribute": "contactid",
    "ReferencedEntity": "contact",
    "ReferencingEntity": "new_bankaccount",
    "CascadeConfiguration": {
        "Assign": "NoCascade",
        "Delete": "RemoveLink",
        "Merge": "NoCascade",
        "Reparent": "NoCascade",
        "Share": "NoCascade",
        "Unshare": "NoCascade",
    },
    "Lookup": {
        "@odata.type": f"{_CRM}.LookupAttributeMetadata",
        "AttributeType": "Lookup",
        "AttributeTypeName": {"Value": "LookupType"},
        "DisplayName": _label("Account Owner"),
        "RequiredLevel": _REQUIRED,
        "SchemaName": "new_AccountOwner",
    },
}

EXCHANGES = [
    Exchange(
        "a table is created with its primary column",
        _TABLES,
        (
            _NEW_TABLE,
            Step(
                "GET",
                "{table}?$select=LogicalName,SchemaName,DisplayName,OwnershipType,IsCustomEntity",
                200,
                json={
                    "LogicalName": "new_bankaccount",
                    "SchemaName": "new_BankAccount",
                    "DisplayName": _said("Bank Account"),
                    "OwnershipType": "UserOwned",
                    "IsCustomEntity": True,
                },
            ),
            Step("POST", "new_bankaccounts", 204, {"new_accountname": "Savings"}),
            Step(
                "GET",
                "new_bankaccounts?$select=new_accountname",
                200,
                json={"value": [{"new_accountname": "Savings"}]},
            ),
        ),
    ),
    Exchange(
        "a table's definition is replaced by PUT",
        _TABLES,
        (
            _NEW_TABLE,
            Step(
                "PUT",
                "{table}",
                204,
                {
                    "@odata.type": f"{_CRM}.EntityMetadata",
                    "SchemaName": "new_BankAccount",
                    "DisplayName": _label("Bank Business Name"),
                    "DisplayCollectionName": _label("Bank Business Names"),
                },
                {"MSCRM.MergeLabels": "true"},
            ),
            Step(
                "GET", f"{_BANK}?$select=DisplayName", 200, json={"DisplayName": _said("Bank Business Name")}
            ),
        ),
    ),
    Exchange(
        "a table is deleted with its rows",
        _TABLES,
        (_NEW_TABLE, Step("DELETE", "{table}", 204), Step("GET", "new_bankaccounts", 404)),
    ),
    Exchange(
        "a Boolean column is added with the labels of its options",
        _COLUMNS,
        (
            _NEW_TABLE,
            Step(
                "POST",
                "{table}/Attributes",
                204,
                _CHECK_COLUMN,
                headers={"OData-EntityId": matching(r"/Attributes\([0-9a-f-]{36}\)$")},
                capture={"column": "OData-EntityId"},
            ),
            Step("GET", "{column}", 200, json={"LogicalName": "new_boolean", "IsCustomAttribute": True}),
        ),
    ),
    Exchange(
        "a money column brings its column in the base currency",
        _COLUMNS,
        (
            _NEW_TABLE,
            Step(
                "POST",
                f"{_BANK}/Attributes",
                204,
                {
                    "@odata.type": f"{_CRM}.MoneyAttributeMetadata",
                    "SchemaName": "new_Balance",
                    "DisplayName": _label("Balance"),
                    "PrecisionSource": 2,
                },
            ),
            Step(
                "GET",
                f"{_BANK}/Attributes/{_CRM}.MoneyAttributeMetadata?$select=LogicalName",
                200,
                json={
                    "value": containing({"LogicalName": "new_balance"}, {"LogicalName": "new_balance_base"})
                },
            ),
        ),
    ),
    Exchange(
        "a date column tells its format",
        _COLUMNS,
        (
            _NEW_TABLE,
            Step(
                "POST",
                f"{_BANK}/Attributes",
                204,
                {
                    "@odata.type": f"{_CRM}.DateTimeAttributeMetadata",
                    "SchemaName": "new_Opened",
                    "DisplayName": _label("Opened"),
                    "Format": "DateOnly",
                },
            ),
            Step(
                "GET",
                f"{_BANK}/Attributes(LogicalName='new_opened')/{_CRM}.DateTimeAttributeMetadata",
                200,
                json={"Format": "DateOnly", "AttributeType": "DateTime"},
            ),
        ),
    ),
    Exchange(
        "a column is deleted",
        _COLUMNS,
        (
            _NEW_TABLE,
            Step("POST", "{table}/Attributes", 204, _CHECK_COLUMN, capture={"column": "OData-EntityId"}),
            Step("DELETE", "{column}", 204),
            Step("GET", "{column}", 404),
        ),
    ),
    Exchange(
        "a column whose name is taken is refused",
        "power-apps/developer/data-platform/reference/web-service-error-codes",
        (
            _NEW_TABLE,
            Step("POST", "{table}/Attributes", 204, _CHECK_COLUMN),
            Step("POST", "{table}/Attributes", 400, _CHECK_COLUMN, json=error("0x80047013")),
        ),
    ),
    Exchange(
        "a one-to-many relationship is created with its lookup",
        _LINKS,
        (
            _NEW_TABLE,
            Step(
                "POST",
                "RelationshipDefinitions",
                204,
                _LOOKUP,
                headers={"OData-EntityId": matching(r"/RelationshipDefinitions\([0-9a-f-]{36}\)$")},
                capture={"link": "OData-EntityId"},
            ),
            Step(
                "GET",
                "{link}",
                200,
                json={
                    "@odata.type": f"#{_CRM}.OneToManyRelationshipMetadata",
                    "ReferencingAttribute": "new_accountowner",
                    "CascadeConfiguration": {"Delete": "RemoveLink"},
                },
            ),
            Step("POST", "contacts", 204, {"contactid": "{new1}", "lastname": "Owner"}),
            Step(
                "POST",
                "new_bankaccounts",
                204,
                {"new_accountname": "Savings", "new_AccountOwner@odata.bind": "/contacts({new1})"},
            ),
            Step(
                "GET",
                "new_bankaccounts?$select=new_accountname&$expand=new_AccountOwner($select=lastname)",
                200,
                json={"value": [{"new_AccountOwner": {"lastname": "Owner"}}]},
            ),
        ),
    ),
    Exchange(
        "a many-to-many relationship is created between two tables",
        _LINKS,
        (
            _NEW_TABLE,
            Step(
                "POST",
                "RelationshipDefinitions",
                204,
                {
                    "@odata.type": f"{_CRM}.ManyToManyRelationshipMetadata",
                    "SchemaName": "new_bankaccounts_accounts",
                    "Entity1LogicalName": "new_bankaccount",
                    "Entity2LogicalName": "account",
                    "IntersectEntityName": "new_bankaccounts_accounts",
                },
                capture={"link": "OData-EntityId"},
            ),
            Step(
                "GET",
                f"{{link}}/{_CRM}.ManyToManyRelationshipMetadata"
                "?$select=Entity1LogicalName,Entity2LogicalName,IntersectEntityName",
                200,
                json={
                    "Entity1LogicalName": "new_bankaccount",
                    "Entity2LogicalName": "account",
                    "IntersectEntityName": "new_bankaccounts_accounts",
                },
            ),
        ),
    ),
    Exchange(
        "a relationship that is deleted takes its lookup along",
        _LINKS,
        (
            _NEW_TABLE,
            Step("POST", "RelationshipDefinitions", 204, _LOOKUP, capture={"link": "OData-EntityId"}),
            Step("DELETE", "{link}", 204),
            Step("GET", f"{_BANK}/Attributes(LogicalName='new_accountowner')", 404),
        ),
    ),
    Exchange(
        "an alternate key is defined and names rows",
        _KEYS,
        (
            _NEW_TABLE,
            Step(
                "POST",
                f"{_BANK}/Keys",
                204,
                {
                    "SchemaName": "new_NameKey",
                    "DisplayName": _label("Name Key"),
                    "KeyAttributes": ["new_accountname"],
                },
            ),
            Step(
                "GET",
                f"{_BANK}/Keys?$select=SchemaName,KeyAttributes,EntityKeyIndexStatus",
                200,
                json={"value": [{"SchemaName": "new_NameKey", "EntityKeyIndexStatus": "Active"}]},
            ),
            Step("PATCH", "new_bankaccounts(new_accountname='Savings')", 204, {}),
            Step("GET", "new_bankaccounts", 200, json={"value": counting(1)}),
        ),
    ),
]
