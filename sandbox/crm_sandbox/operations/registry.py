"""The actions and functions that there are, by name and by what they are bound to."""

from __future__ import annotations

from collections.abc import Mapping

from crm_sandbox.addresses import Segment
from crm_sandbox.operations import bulk, functions, merging, sales, teams
from crm_sandbox.operations.calls import Handler
from crm_sandbox.schema.model import Table

UNBOUND: Mapping[str, Handler] = {
    "WhoAmI": functions.who_am_i,
    "RetrieveTotalRecordCount": functions.retrieve_total_record_count,
    "InitializeFrom": functions.initialize_from,
    "RetrieveVersion": functions.retrieve_version,
    "RetrieveCurrentOrganization": functions.retrieve_current_organization,
    "WinOpportunity": sales.win_opportunity,
    "LoseOpportunity": sales.lose_opportunity,
    "Merge": merging.merge,
    "BulkDelete": bulk.bulk_delete,
}
ON_SET: Mapping[str, Handler] = {
    "CreateMultiple": bulk.create_multiple,
    "UpdateMultiple": bulk.update_multiple,
    "UpsertMultiple": bulk.upsert_multiple,
}
ON_ROW: Mapping[tuple[str, str], Handler] = {
    ("lead", "QualifyLead"): sales.qualify_lead,
    ("systemuser", "RetrievePrincipalAccess"): functions.retrieve_principal_access,
    ("systemuser", "RetrieveUserSetOfPrivilegesByNames"): functions.retrieve_user_set_of_privileges_by_names,
    ("team", "RetrievePrincipalAccess"): functions.retrieve_principal_access,
    ("team", "AddMembersTeam"): teams.add_members,
    ("team", "RemoveMembersTeam"): teams.remove_members,
}

ELSEWHERE = frozenset(
    {
        "AddToQueue", "ApplyRecordCreationAndUpdateRule", "CalculatePrice", "CalculateRollupField",
        "CalculateTotalTimeIncident", "CloneProduct", "CloseIncident", "CloseQuote",
        "ConvertSalesOrderToInvoice",
        "ConvertQuoteToSalesOrder", "CreateCustomerRelationships", "DeleteOptionValue", "DeleteMultiple",
        "DownloadBlock", "ExecuteWorkflow", "ExportSolution", "FormatAddress", "FulfillSalesOrder",
        "GenerateQuoteFromOpportunity", "GetAllTimeZonesWithDisplayName", "GetQuantityDecimal",
        "GetTimeZoneCodeByLocalizedName", "GrantAccess", "ImportSolution", "InitializeFileBlocksUpload",
        "InsertOptionValue", "InsertStatusValue",
        "ModifyAccess", "PublishAllXml", "PublishXml", "RetrieveAuditDetails", "RetrieveDuplicates",
        "RetrieveEntityChanges", "RetrievePrincipalAccessInfo", "RetrieveProvisionedLanguages",
        "RetrieveRecordChangeHistory", "RetrieveSharedPrincipalsAndAccess", "RetrieveUserPrivileges",
        "RevokeAccess", "Rollup", "SendEmail", "SendEmailFromTemplate", "SetBusinessEquipment",
        "UpdateOptionValue", "UploadBlock", "ValidateFetchXmlExpression",
    }
)  # fmt: skip
"""Operations that Dataverse has and the sandbox does not; other names are operations of nobody.

https://learn.microsoft.com/power-apps/developer/data-platform/webapi/reference/actions, and .../functions
"""


def unbound(segment: Segment) -> Handler | None:
    """The operation that stands alone in an address."""
    return UNBOUND.get(segment.name)


def bound_to_set(name: str, table: Table) -> Handler | None:
    """The operation on the rows of a table."""
    return None if table.is_read_only else ON_SET.get(name)


def bound_to_row(name: str, table: Table) -> Handler | None:
    """The operation on one row."""
    return ON_ROW.get((table.name, name))
