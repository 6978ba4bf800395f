"""Definitions read by name and by id: tables, columns of each type, choices, keys, relationships."""

from typing import Any

from tests.contract.exchange import (
    Exchange,
    Step,
    a_guid,
    absent,
    anything,
    containing,
    error,
    matching,
)

_QUERY = "power-apps/developer/data-platform/webapi/query-metadata-web-api"
_BY_NAME = "power-apps/developer/data-platform/webapi/retrieve-metadata-name-metadataid"
_DOCUMENT = "power-apps/developer/data-platform/webapi/web-api-service-documents"
_TYPES = "power-apps/developer/data-platform/webapi/web-api-types-operations"
_KEYS = "power-apps/developer/data-platform/define-alternate-keys-entity"
_REFERENCE = "power-apps/developer/data-platform/reference/entities/"
_COLUMNS = "power-apps/developer/data-platform/webapi/reference/"
_CRM = "Microsoft.Dynamics.CRM"
_ACCOUNT = "EntityDefinitions(LogicalName='account')"
_CONTACT = "EntityDefinitions(LogicalName='contact')"
_PROJECT = "EntityDefinitions(LogicalName='new_project')"
_CATEGORY = f"{_ACCOUNT}/Attributes(LogicalName='accountcategorycode')/{_CRM}.PicklistAttributeMetadata"


def _row(path: str, **values: Any) -> Step:
    return Step("GET", path, 200, json=values)


def _column(table: str, column: str, kind: str = "") -> str:
    return f"{table}/Attributes(LogicalName='{column}'){kind and f'/{_CRM}.{kind}AttributeMetadata'}"


def _said(text: str) -> dict[str, Any]:
    label = {"Label": text, "LanguageCode": 1033}
    return {"LocalizedLabels": containing(label), "UserLocalizedLabel": label}


def _option(value: int, text: str) -> dict[str, Any]:
    return {"Value": value, "Label": _said(text)}


_CATEGORIES = [_option(1, "Preferred Customer"), _option(2, "Standard")]

EXCHANGES = [
    Exchange(
        "the service document names the entity set of a custom table",
        _DOCUMENT,
        (
            _row(
                "",
                value=containing({"name": "new_projects", "kind": "EntitySet", "url": "new_projects"}),
            ),
        ),
    ),
    Exchange(
        "the CSDL document describes a custom table with its columns",
        _DOCUMENT,
        (
            Step(
                "GET",
                "$metadata",
                200,
                text=matching(
                    r'(?s)<EntityType [^>]*Name="new_project".*?<PropertyRef Name="new_projectid".*?'
                    r'<Property Name="new_progress" Type="Edm.Int32".*?</EntityType>'
                ),
            ),
        ),
    ),
    Exchange(
        "the CSDL document gives the entity sets with their bindings",
        _TYPES,
        (
            Step(
                "GET",
                "$metadata",
                200,
                text=matching(r'<EntitySet Name="accounts" EntityType="Microsoft.Dynamics.CRM.account"'),
            ),
        ),
    ),
    Exchange(
        "the CSDL document describes functions and actions",
        "power-apps/developer/data-platform/webapi/use-web-api-functions",
        (
            Step("GET", "$metadata", 200, text=matching(r'<Function Name="WhoAmI">')),
            Step(
                "GET",
                "$metadata",
                200,
                text=matching(
                    r'<Parameter Name="OpportunityClose" Type="mscrm.opportunityclose" Nullable="false"'
                ),
            ),
        ),
    ),
    Exchange(
        "the CSDL document has annotations when they are asked for",
        _DOCUMENT,
        (Step("GET", "$metadata?annotations=true", 200, text=matching("<Annotation ")),),
    ),
    Exchange(
        "a table tells its entity set and its primary columns",
        _REFERENCE + "account",
        (
            _row(
                f"{_ACCOUNT}?$select=EntitySetName,PrimaryIdAttribute,PrimaryNameAttribute,SchemaName,"
                "LogicalCollectionName,ObjectTypeCode,IsCustomEntity,OwnershipType,IsActivity",
                EntitySetName="accounts",
                PrimaryIdAttribute="accountid",
                PrimaryNameAttribute="name",
                SchemaName="Account",
                LogicalCollectionName="accounts",
                ObjectTypeCode=1,
                IsCustomEntity=False,
                OwnershipType="UserOwned",
                IsActivity=False,
            ),
        ),
    ),
    Exchange(
        "a table is found by its id, and only what is selected comes with the id",
        _BY_NAME,
        (
            Step(
                "GET",
                "EntityDefinitions?$filter=LogicalName eq 'account'&$select=MetadataId",
                200,
                json={
                    "@odata.context": "{root}$metadata#EntityDefinitions(MetadataId)",
                    "value": [{"MetadataId": a_guid, "LogicalName": absent}],
                },
                capture={"table": "value.0.MetadataId"},
            ),
            _row(
                "EntityDefinitions({table})?$select=LogicalName",
                LogicalName="account",
                MetadataId="{table}",
                SchemaName=absent,
            ),
        ),
    ),
    Exchange(
        "a column is found by its id in the table's id",
        _BY_NAME,
        (
            Step("GET", f"{_ACCOUNT}?$select=MetadataId", 200, capture={"table": "MetadataId"}),
            Step(
                "GET",
                "EntityDefinitions({table})/Attributes?$filter=LogicalName eq 'accountcategorycode'"
                "&$select=MetadataId",
                200,
                json={"value": [{"@odata.type": f"#{_CRM}.PicklistAttributeMetadata", "MetadataId": a_guid}]},
                capture={"column": "value.0.MetadataId"},
            ),
            _row(
                f"EntityDefinitions({{table}})/Attributes({{column}})/{_CRM}.PicklistAttributeMetadata"
                "?$select=LogicalName&$expand=OptionSet($select=Options)",
                MetadataId="{column}",
                LogicalName="accountcategorycode",
                OptionSet={"Options": _CATEGORIES},
            ),
        ),
    ),
    Exchange(
        "the options of a choice of the table come from one of its two properties",
        _BY_NAME,
        (
            _row(
                f"{_CATEGORY}?$select=LogicalName"
                "&$expand=OptionSet($select=Options),GlobalOptionSet($select=Options)",
                **{
                    "@odata.context": f"{{root}}$metadata#EntityDefinitions('account')/Attributes/{_CRM}"
                    ".PicklistAttributeMetadata(LogicalName,OptionSet(Options),GlobalOptionSet(Options))/$entity"
                },
                OptionSet={"Options": _CATEGORIES},
                GlobalOptionSet=None,
            ),
        ),
    ),
    Exchange(
        "the options of a choice are read alone",
        _QUERY,
        (
            _row(
                f"{_CATEGORY}/OptionSet?$select=Options",
                Options=_CATEGORIES,
                MetadataId=a_guid,
                OptionSetType=absent,
            ),
        ),
    ),
    Exchange(
        "a choice of a table tells that it is not global",
        _QUERY,
        (
            _row(
                f"{_CATEGORY}?$select=LogicalName&$expand=OptionSet",
                OptionSet={
                    "IsGlobal": False,
                    "IsCustomOptionSet": False,
                    "OptionSetType": "Picklist",
                    "Name": "account_accountcategorycode",
                },
            ),
        ),
    ),
    Exchange(
        "the columns of several choices come under a cast of their own",
        _COLUMNS + "multiselectpicklistattributemetadata",
        (
            _row(
                f"{_PROJECT}/Attributes/{_CRM}.MultiSelectPicklistAttributeMetadata"
                "?$select=LogicalName&$expand=OptionSet($select=Options)",
                value=[
                    {
                        "LogicalName": "new_tags",
                        "OptionSet": {
                            "Options": [_option(1, "Urgent"), _option(2, "Internal"), _option(9, "Strategic")]
                        },
                    }
                ],
            ),
        ),
    ),
    Exchange(
        "a Boolean column has two options with labels",
        _COLUMNS + "booleanattributemetadata",
        (
            _row(
                _column(_PROJECT, "new_isbillable", "Boolean") + "?$select=DefaultValue&$expand=OptionSet",
                DefaultValue=False,
                OptionSet={"TrueOption": {"Value": 1}, "FalseOption": {"Value": 0}},
            ),
        ),
    ),
    Exchange(
        "a status reason tells the state that it belongs to",
        _COLUMNS + "statusattributemetadata",
        (
            _row(
                _column(_ACCOUNT, "statuscode", "Status") + "?$select=LogicalName&$expand=OptionSet",
                OptionSet={
                    "Options": [
                        {"Value": 1, "State": 0, "Label": _said("Active")},
                        {"Value": 2, "State": 1, "Label": _said("Inactive")},
                    ]
                },
            ),
        ),
    ),
    Exchange(
        "a lookup to several tables names them all",
        _COLUMNS + "lookupattributemetadata",
        (
            _row(
                f"{_CONTACT}/Attributes/{_CRM}.LookupAttributeMetadata?$select=LogicalName,Targets",
                value=containing(
                    {"LogicalName": "parentcustomerid", "Targets": containing("account", "contact")}
                ),
            ),
        ),
    ),
    Exchange(
        "a text column tells its longest length and format",
        _REFERENCE + "account",
        (_row(_column(_ACCOUNT, "name", "String"), MaxLength=160, FormatName={"Value": "Text"}),),
    ),
    Exchange(
        "a column of e-mail addresses has the format and the schema name of its reference",
        _REFERENCE + "account",
        (
            _row(
                _column(_ACCOUNT, "emailaddress1", "String"),
                MaxLength=100,
                FormatName={"Value": "Email"},
                SchemaName="EMailAddress1",
            ),
        ),
    ),
    Exchange(
        "numbers tell their ranges and digits",
        _QUERY,
        (
            _row(
                _column(_PROJECT, "new_progress", "Integer") + "?$select=MinValue,MaxValue",
                MinValue=0,
                MaxValue=100,
            ),
            _row(
                _column(_PROJECT, "new_rating", "Decimal") + "?$select=MinValue,MaxValue,Precision",
                MaxValue=10,
                Precision=2,
            ),
            _row(
                f"{_PROJECT}/Attributes/{_CRM}.MoneyAttributeMetadata?$select=LogicalName,Precision",
                value=containing({"LogicalName": "new_budget", "Precision": 2}),
            ),
        ),
    ),
    Exchange(
        "columns are filtered by the level at which they are required",
        _QUERY,
        (
            _row(
                f"{_ACCOUNT}/Attributes?$select=SchemaName"
                f"&$filter=RequiredLevel/Value eq {_CRM}.AttributeRequiredLevel'ApplicationRequired'",
                value=containing({"SchemaName": "Name"}),
            ),
        ),
    ),
    Exchange(
        "a column tells for what it is valid",
        _COLUMNS + "attributemetadata",
        (
            _row(
                _column(_CONTACT, "fullname") + "?$select=IsValidForCreate,IsValidForUpdate,IsValidForRead",
                IsValidForCreate=False,
                IsValidForUpdate=False,
                IsValidForRead=True,
            ),
            _row(
                _column(_CONTACT, "contactid") + "?$select=IsPrimaryId,IsValidForCreate,IsValidForUpdate",
                IsPrimaryId=True,
                IsValidForCreate=True,
                IsValidForUpdate=False,
            ),
        ),
    ),
    Exchange(
        "the alternate keys of a table tell their columns",
        _KEYS,
        (
            _row(
                f"{_PROJECT}/Keys?$select=LogicalName,KeyAttributes,EntityKeyIndexStatus",
                value=[{"KeyAttributes": ["new_code"], "EntityKeyIndexStatus": "Active"}],
            ),
            _row(f"{_PROJECT}?$select=LogicalName&$expand=Keys($select=KeyAttributes)", Keys=[anything]),
        ),
    ),
    Exchange(
        "the many-to-many relationships of a table tell both tables",
        _QUERY,
        (
            _row(
                f"{_PROJECT}/ManyToManyRelationships?$select=SchemaName,Entity1LogicalName,Entity2LogicalName",
                value=[{"SchemaName": "new_project_contact", "MetadataId": a_guid}],
            ),
        ),
    ),
    Exchange(
        "a relationship is found by its name and by its id",
        _BY_NAME,
        (
            Step(
                "GET",
                "RelationshipDefinitions(SchemaName='Account_Tasks')",
                200,
                json={"SchemaName": "Account_Tasks", "RelationshipType": "OneToManyRelationship"},
                capture={"relationship": "MetadataId"},
            ),
            _row("RelationshipDefinitions({relationship})", SchemaName="Account_Tasks"),
        ),
    ),
    Exchange(
        "the relationships of one kind are read under a cast",
        _QUERY,
        (
            _row(
                f"RelationshipDefinitions/{_CRM}.OneToManyRelationshipMetadata?$select=SchemaName"
                "&$filter=ReferencedEntity eq 'account' and ReferencingEntity eq 'task'",
                value=[{"SchemaName": "Account_Tasks"}],
            ),
        ),
    ),
    Exchange(
        "a definition with an unknown name or id is not found",
        _BY_NAME,
        (
            Step("GET", "EntityDefinitions({new9})", 404, json={"error": {"code": anything}}),
            Step("GET", _column(_ACCOUNT, "nothing"), 404, json={"error": {"code": anything}}),
            Step("GET", "RelationshipDefinitions(SchemaName='nothing')", 404),
        ),
    ),
    Exchange(
        "a property that definitions do not have cannot be selected",
        _QUERY,
        (Step("GET", f"{_ACCOUNT}?$select=Nothing", 400, json=error("0x80060888", "Nothing")),),
    ),
]
