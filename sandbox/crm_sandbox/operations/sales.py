"""The actions of selling: qualify a lead, win or lose an opportunity.

https://learn.microsoft.com/dynamics365/sales/developer/reference/web-api-actions
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crm_sandbox.addresses import reference
from crm_sandbox.errors import BAD_STATUS, INVALID_ARGUMENT, ODataError, bad_property
from crm_sandbox.messages import Answer
from crm_sandbox.operations.calls import Call, row_reference
from crm_sandbox.schema.base_columns import STATE, STATUS
from crm_sandbox.schema.model import NAMESPACE, Table
from crm_sandbox.session import Privilege
from crm_sandbox.store import Row

_WON, _LOST = 1, 2
_TO_ACCOUNT = {
    "companyname": "name",
    "telephone1": "telephone1",
    "websiteurl": "websiteurl",
    "numberofemployees": "numberofemployees",
    "revenue": "revenue",
    "industrycode": "industrycode",
    "description": "description",
    "fax": "fax",
}
_TO_CONTACT = {
    "firstname": "firstname",
    "lastname": "lastname",
    "jobtitle": "jobtitle",
    "emailaddress1": "emailaddress1",
    "telephone1": "telephone1",
    "mobilephone": "mobilephone",
    "description": "description",
}
_TO_OPPORTUNITY = {
    "subject": "name",
    "estimatedamount": "estimatedvalue",
    "estimatedclosedate": "estimatedclosedate",
    "budgetamount": "budgetamount",
    "description": "description",
}
_ADDRESS = {
    name: name
    for name in (
        "address1_line1",
        "address1_city",
        "address1_stateorprovince",
        "address1_postalcode",
        "address1_country",
    )
}


def qualify_lead(call: Call) -> Answer:
    """Close a lead as qualified, and make the account, contact and opportunity that are asked for.

    https://learn.microsoft.com/dotnet/api/microsoft.crm.sdk.messages.qualifyleadrequest
    """
    call.needs("POST")
    lead = call.bound_row
    table = call.bound_table
    if lead[STATE] != 0:
        raise ODataError(400, INVALID_ARGUMENT, "The lead is already closed.")
    wanted = {name: call.get(f"Create{name}", bool) for name in ("Account", "Contact", "Opportunity")}
    status = _status(call, table, 1)
    writer = call.context.writer
    schema = call.context.store.schema
    made: list[tuple[Table, str]] = []
    account, contact = lead["parentaccountid"], lead["parentcontactid"]
    if wanted["Account"]:
        account = writer.create(schema["account"], _account_of(lead))
        made.append((schema["account"], account))
    if wanted["Contact"]:
        contact = writer.create(schema["contact"], _contact_of(lead, account))
        made.append((schema["contact"], contact))
    changes: dict[str, Any] = {"parentaccountid": account, "parentcontactid": contact}
    if wanted["Opportunity"]:
        body = _opportunity_of(call, lead, account, contact)
        key = writer.create(schema["opportunity"], body)
        made.append((schema["opportunity"], key))
        changes["qualifyingopportunityid"] = key
    call.context.session.caller.require(Privilege.WRITE, table)
    writer.change(table, lead, {**changes, STATE: 1, STATUS: status})
    value = [{"@odata.type": f"#{NAMESPACE}.{target.name}", target.key: key} for target, key in made]
    root = call.context.request.root
    return Answer(
        200,
        {"@odata.context": f"{root}$metadata#Collection({NAMESPACE}.crmbaseentity)", "value": value},
    )


def win_opportunity(call: Call) -> Answer:
    """Close an opportunity as won.

    https://learn.microsoft.com/dotnet/api/microsoft.crm.sdk.messages.winopportunityrequest
    """
    return _close(call, _WON)


def lose_opportunity(call: Call) -> Answer:
    """Close an opportunity as lost.

    https://learn.microsoft.com/dotnet/api/microsoft.crm.sdk.messages.loseopportunityrequest
    """
    return _close(call, _LOST)


def _close(call: Call, state: int) -> Answer:
    call.needs("POST")
    context = call.context
    activity = call.get("OpportunityClose", dict)
    table = context.store.schema["opportunity"]
    bound = activity.get("opportunityid@odata.bind")
    inner = activity.get("opportunityid")
    if isinstance(inner, dict):
        key = row_reference(context, {"@odata.type": f"{NAMESPACE}.opportunity", **inner}, "opportunityid")
        activity = {name: value for name, value in activity.items() if name != "opportunityid"}
        activity["opportunityid@odata.bind"] = f"/opportunities({key.guid})"
    elif bound is None:
        raise bad_property("'OpportunityClose' needs 'opportunityid@odata.bind'")
    else:
        key = reference(context.store.schema, bound, "opportunityid")
    if key.table is not table:
        raise bad_property("'opportunityid@odata.bind' takes an opportunity")
    row = key.get(context.store)
    context.session.caller.require(Privilege.WRITE, table)
    status = _status(call, table, state)
    if row[STATE] != 0:
        raise ODataError(400, INVALID_ARGUMENT, "The opportunity is already closed.")
    today = context.store.now().date().isoformat()
    revenue = activity.get("actualrevenue")
    value = revenue if isinstance(revenue, int | float) else row["estimatedvalue"] if state == _WON else 0
    _log_close(call, activity, state, value)
    closed = str(activity.get("actualend") or today)[:10]
    _set_closed(
        call, table, row, {STATE: state, STATUS: status, "actualvalue": value, "actualclosedate": closed}
    )
    return Answer(204)


def _log_close(call: Call, activity: Mapping[str, Any], state: int, value: Any) -> None:
    store = call.context.store
    closes = store.schema["opportunityclose"]
    body = {"subject": "Opportunity closed", **activity, "opportunitystatecode": state}
    body.setdefault("actualrevenue", value)
    body.setdefault("actualend", store.timestamp())
    made = call.context.writer.create(closes, body)
    row = store.find(closes, made)
    if row is not None:
        call.context.writer.change(closes, row, {STATE: 1, STATUS: 2})


def _set_closed(call: Call, table: Table, row: Row, values: dict[str, Any]) -> None:
    """Store the closed state, which an update must not set."""
    call.context.writer.change(table, {**row, STATE: values[STATE]}, values)


def _status(call: Call, table: Table, state: int) -> int:
    """The status reason that a call gives; -1 stands for the state's first."""
    status = int(call.get("Status", int))
    choices = [choice.value for choice in table.columns[STATUS].choices if choice.state == state]
    if status == -1:
        return choices[0]
    if status not in choices:
        raise ODataError(
            400, BAD_STATUS, f"{status} is not a valid status code for state code {state} on {table.name}."
        )
    return status


def _mapped(row: Row, mapping: Mapping[str, str]) -> dict[str, Any]:
    return {target: row[own] for own, target in mapping.items() if row[own] is not None}


def _origin(lead: Row) -> dict[str, Any]:
    return {"originatingleadid@odata.bind": f"/leads({lead['leadid']})"}


def _account_of(lead: Row) -> dict[str, Any]:
    body = _mapped(lead, {**_TO_ACCOUNT, **_ADDRESS})
    if "name" not in body:
        body["name"] = lead["fullname"]
    return body | _origin(lead)


def _contact_of(lead: Row, account: str | None) -> dict[str, Any]:
    body = _mapped(lead, {**_TO_CONTACT, **_ADDRESS}) | _origin(lead)
    if account:
        body["parentcustomerid_account@odata.bind"] = f"/accounts({account})"
    return body


def _opportunity_of(call: Call, lead: Row, account: str | None, contact: str | None) -> dict[str, Any]:
    body = _mapped(lead, _TO_OPPORTUNITY) | _origin(lead)
    if account:
        body["parentaccountid@odata.bind"] = f"/accounts({account})"
        body["customerid_account@odata.bind"] = f"/accounts({account})"
    elif contact:
        body["customerid_contact@odata.bind"] = f"/contacts({contact})"
    if contact:
        body["parentcontactid@odata.bind"] = f"/contacts({contact})"
    customer = call.get("OpportunityCustomerId", dict, needed=False)
    if customer is not None:
        key = row_reference(call.context, customer, "OpportunityCustomerId")
        for name in ("customerid_account@odata.bind", "customerid_contact@odata.bind"):
            body.pop(name, None)
        body[f"customerid_{key.table.name}@odata.bind"] = f"/{key.table.entity_set}({key.guid})"
    currency = call.get("OpportunityCurrencyId", dict, needed=False)
    if currency is not None:
        key = row_reference(call.context, currency, "OpportunityCurrencyId")
        body["transactioncurrencyid@odata.bind"] = f"/transactioncurrencies({key.guid})"
    return body
