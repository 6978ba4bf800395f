"""The actions and functions of ``$metadata``, with the types that they need.

https://learn.microsoft.com/power-apps/developer/data-platform/webapi/web-api-functions
https://learn.microsoft.com/power-apps/developer/data-platform/webapi/web-api-actions
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element, SubElement

from crm_sandbox.schema.model import NAMESPACE, Table

BASE = "crmbaseentity"
_ANY = f"mscrm.{BASE}"
_GUID, _TEXT, _TRUTH, _WHOLE = "Edm.Guid", "Edm.String", "Edm.Boolean", "Edm.Int32"


@dataclass(frozen=True)
class Operation:
    """An action or function; ``bound_to`` is the type of the row it is called on."""

    name: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    returns: str = ""
    is_function: bool = False
    bound_to: str = ""


COMPLEX_TYPES: Mapping[str, Mapping[str, str]] = {
    "WhoAmIResponse": {"BusinessUnitId": _GUID, "UserId": _GUID, "OrganizationId": _GUID},
    "RetrieveVersionResponse": {"Version": _TEXT},
    "RetrievePrincipalAccessResponse": {"AccessRights": "mscrm.AccessRights"},
    "RolePrivilege": {
        "Depth": "mscrm.PrivilegeDepth",
        "PrivilegeId": _GUID,
        "BusinessUnitId": _GUID,
        "PrivilegeName": _TEXT,
        "RecordFilterId": _GUID,
        "RecordFilterUniqueName": _TEXT,
    },
    "RetrieveUserSetOfPrivilegesByNamesResponse": {"RolePrivileges": "Collection(mscrm.RolePrivilege)"},
    "EntityRecordCountCollection": {
        "Count": _WHOLE,
        "IsReadOnly": _TRUTH,
        "Keys": f"Collection({_TEXT})",
        "Values": "Collection(Edm.Int64)",
    },
    "RetrieveTotalRecordCountResponse": {"EntityRecordCountCollection": "mscrm.EntityRecordCountCollection"},
    "EndpointCollection": {
        "Count": _WHOLE,
        "IsReadOnly": _TRUTH,
        "Keys": f"Collection({_TEXT})",
        "Values": f"Collection({_TEXT})",
    },
    "OrganizationDetail": {
        "OrganizationId": _GUID,
        "FriendlyName": _TEXT,
        "OrganizationVersion": _TEXT,
        "UniqueName": _TEXT,
        "UrlName": _TEXT,
        "State": _TEXT,
        "OrganizationType": _TEXT,
        "Endpoints": "mscrm.EndpointCollection",
    },
    "RetrieveCurrentOrganizationResponse": {"Detail": "mscrm.OrganizationDetail"},
    "CreateMultipleResponse": {"Ids": f"Collection({_GUID})"},
    "BulkDeleteResponse": {"JobId": _GUID},
    "ConditionExpression": {
        "AttributeName": _TEXT,
        "Operator": _TEXT,
        "Values": "Collection(mscrm.Object)",
    },
    "Object": {"Type": _TEXT, "Value": _TEXT},
    "FilterExpression": {
        "FilterOperator": _TEXT,
        "Conditions": "Collection(mscrm.ConditionExpression)",
        "Filters": "Collection(mscrm.FilterExpression)",
    },
    "QueryExpression": {"EntityName": _TEXT, "Criteria": "mscrm.FilterExpression"},
}
ENUMERATIONS: Mapping[str, tuple[bool, Mapping[str, int]]] = {
    "AccessRights": (
        True,
        {
            "None": 0,
            "ReadAccess": 1,
            "WriteAccess": 2,
            "AppendAccess": 4,
            "AppendToAccess": 16,
            "CreateAccess": 32,
            "DeleteAccess": 65536,
            "ShareAccess": 262144,
            "AssignAccess": 524288,
        },
    ),
    "PrivilegeDepth": (False, {"Basic": 0, "Local": 1, "Deep": 2, "Global": 3, "RecordFilter": 4}),
    "TargetFieldType": (False, {"All": 0, "ValidForCreate": 1, "ValidForUpdate": 2, "ValidForRead": 3}),
    "EndpointAccessType": (False, {"Default": 0, "Internet": 1, "Intranet": 2}),
}
OPERATIONS = (
    Operation("WhoAmI", {}, "mscrm.WhoAmIResponse", is_function=True),
    Operation("RetrieveVersion", {}, "mscrm.RetrieveVersionResponse", is_function=True),
    Operation(
        "RetrieveTotalRecordCount",
        {"EntityNames": f"Collection({_TEXT})"},
        "mscrm.RetrieveTotalRecordCountResponse",
        is_function=True,
    ),
    Operation(
        "RetrieveCurrentOrganization",
        {"AccessType": "mscrm.EndpointAccessType"},
        "mscrm.RetrieveCurrentOrganizationResponse",
        is_function=True,
    ),
    Operation(
        "InitializeFrom",
        {"EntityMoniker": _ANY, "TargetEntityName": _TEXT, "TargetFieldType": "mscrm.TargetFieldType"},
        _ANY,
        is_function=True,
    ),
    Operation("WinOpportunity", {"OpportunityClose": "mscrm.opportunityclose", "Status": _WHOLE}),
    Operation("LoseOpportunity", {"OpportunityClose": "mscrm.opportunityclose", "Status": _WHOLE}),
    Operation(
        "Merge",
        {"Target": _ANY, "Subordinate": _ANY, "UpdateContent": _ANY, "PerformParentingChecks": _TRUTH},
    ),
    Operation(
        "BulkDelete",
        {
            "QuerySet": "Collection(mscrm.QueryExpression)",
            "JobName": _TEXT,
            "SendEmailNotification": _TRUTH,
            "ToRecipients": f"Collection({_ANY})",
            "CCRecipients": f"Collection({_ANY})",
            "RecurrencePattern": _TEXT,
            "StartDateTime": "Edm.DateTimeOffset",
        },
        "mscrm.BulkDeleteResponse",
    ),
    Operation(
        "QualifyLead",
        {
            "CreateAccount": _TRUTH,
            "CreateContact": _TRUTH,
            "CreateOpportunity": _TRUTH,
            "OpportunityCurrencyId": "mscrm.transactioncurrency",
            "OpportunityCustomerId": _ANY,
            "SourceCampaignId": _ANY,
            "Status": _WHOLE,
        },
        f"Collection({_ANY})",
        bound_to="lead",
    ),
    *(
        Operation(
            "RetrievePrincipalAccess",
            {"Target": _ANY},
            "mscrm.RetrievePrincipalAccessResponse",
            is_function=True,
            bound_to=kind,
        )
        for kind in ("systemuser", "team")
    ),
    Operation(
        "RetrieveUserSetOfPrivilegesByNames",
        {"PrivilegeNames": f"Collection({_TEXT})"},
        "mscrm.RetrieveUserSetOfPrivilegesByNamesResponse",
        is_function=True,
        bound_to="systemuser",
    ),
    *(
        Operation(name, {"Members": "Collection(mscrm.systemuser)"}, bound_to="team")
        for name in ("AddMembersTeam", "RemoveMembersTeam")
    ),
)


def add_types(document: Element) -> None:
    """Add the enumerations and complex types that operations take and answer."""
    for name, (flags, members) in ENUMERATIONS.items():
        attributes = {"Name": name} | ({"IsFlags": "true"} if flags else {})
        element = SubElement(document, "EnumType", attributes)
        for member, value in members.items():
            SubElement(element, "Member", {"Name": member, "Value": str(value)})
    for name, properties in COMPLEX_TYPES.items():
        element = SubElement(document, "ComplexType", {"Name": name})
        for known, kind in properties.items():
            SubElement(element, "Property", {"Name": known, "Type": kind})


def add_operations(document: Element, container: Element, tables: Iterator[Table]) -> None:
    """Add the actions and functions, and to the container those that stand alone."""
    for operation in OPERATIONS:
        _add(document, operation)
        if not operation.bound_to:
            kind = "Function" if operation.is_function else "Action"
            imported = {"Name": operation.name, kind: f"{NAMESPACE}.{operation.name}"}
            SubElement(container, f"{kind}Import", imported)
    for table in tables:
        if not table.is_read_only:
            _multiple(document, table)


def _add(document: Element, operation: Operation) -> None:
    attributes = {"Name": operation.name} | ({"IsBound": "true"} if operation.bound_to else {})
    element = SubElement(document, "Function" if operation.is_function else "Action", attributes)
    if operation.bound_to:
        binding = {"Name": "entity", "Type": f"mscrm.{operation.bound_to}", "Nullable": "false"}
        SubElement(element, "Parameter", binding)
    for name, kind in operation.parameters.items():
        needed = {} if operation.is_function else {"Nullable": "false"}
        SubElement(element, "Parameter", {"Name": name, "Type": kind, **needed})
    if operation.returns:
        SubElement(element, "ReturnType", {"Type": operation.returns, "Nullable": "false"})


def _multiple(document: Element, table: Table) -> None:
    rows = f"Collection(mscrm.{table.name})"
    for name in ("CreateMultiple", "UpdateMultiple", "UpsertMultiple"):
        action = SubElement(document, "Action", {"Name": name, "IsBound": "true"})
        SubElement(action, "Parameter", {"Name": "entityset", "Type": rows, "Nullable": "false"})
        SubElement(action, "Parameter", {"Name": "Targets", "Type": rows, "Nullable": "false"})
        if name == "CreateMultiple":
            SubElement(action, "ReturnType", {"Type": "mscrm.CreateMultipleResponse", "Nullable": "false"})
