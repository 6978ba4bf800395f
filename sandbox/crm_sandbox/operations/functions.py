"""Functions that tell about the caller, their rights, and the organisation."""

from __future__ import annotations

from typing import Any

from crm_sandbox.callers import caller_of_user
from crm_sandbox.errors import UNKNOWN_NAME, ODataError
from crm_sandbox.messages import Answer
from crm_sandbox.operations.calls import Call
from crm_sandbox.schema.model import NAMESPACE
from crm_sandbox.session import Privilege, privilege_id, privilege_name
from crm_sandbox.store import quoted

VERSION_OF_SERVICE = "9.2.0.0"
ORGANIZATION_ID = "b8c1f6d2-7a34-4c0e-9f55-2d1e6a7b9c30"
_RIGHTS = (
    ("ReadAccess", Privilege.READ),
    ("WriteAccess", Privilege.WRITE),
    ("AppendAccess", Privilege.APPEND),
    ("AppendToAccess", Privilege.APPEND_TO),
    ("CreateAccess", Privilege.CREATE),
    ("DeleteAccess", Privilege.DELETE),
    ("ShareAccess", Privilege.SHARE),
    ("AssignAccess", Privilege.ASSIGN),
)


def who_am_i(call: Call) -> Answer:
    """Who calls.

    https://learn.microsoft.com/power-apps/developer/data-platform/webapi/reference/whoami
    """
    call.needs("GET")
    caller = call.context.session.caller
    return call.answer(
        BusinessUnitId=caller.business_unit_id, UserId=caller.user_id, OrganizationId=ORGANIZATION_ID
    )


def retrieve_principal_access(call: Call) -> Answer:
    """What a user or team may do with a row.

    https://learn.microsoft.com/power-apps/developer/data-platform/webapi/reference/retrieveprincipalaccess
    """
    call.needs("GET")
    target = call.reference("Target")
    target.get(call.context.store)
    store = call.context.store
    if call.bound_table.name == "systemuser":
        allowed = caller_of_user(store, call.bound_row[call.bound_table.key]).allowed(target.table)
    else:
        allowed = frozenset()
    rights = [name for name, privilege in _RIGHTS if privilege in allowed]
    return call.answer(AccessRights=", ".join(rights) or "None")


def retrieve_user_set_of_privileges_by_names(call: Call) -> Answer:
    """Those of the named privileges that a user has. Names of no privilege are left out, as all others.

    https://learn.microsoft.com/power-apps/developer/data-platform/webapi/reference/retrieveusersetofprivilegesbynames
    """
    call.needs("GET")
    store = call.context.store
    call.context.may_read(call.bound_table)
    user = caller_of_user(store, call.bound_row[call.bound_table.key])
    held = {
        privilege_name(privilege, table)
        for table in store.schema.tables.values()
        for privilege in user.allowed(table)
    }
    found = [
        {
            "Depth": "Global",
            "PrivilegeId": privilege_id(name),
            "BusinessUnitId": user.business_unit_id,
            "PrivilegeName": name,
            "RecordFilterId": "00000000-0000-0000-0000-000000000000",
            "RecordFilterUniqueName": "",
        }
        for name in dict.fromkeys(map(str, call.get("PrivilegeNames", list)))
        if name in held
    ]
    return call.answer(RolePrivileges=found)


def retrieve_total_record_count(call: Call) -> Answer:
    """How many rows tables have. The service answers from a snapshot; this is the number itself.

    https://learn.microsoft.com/power-apps/developer/data-platform/webapi/reference/retrievetotalrecordcount
    """
    call.needs("GET")
    names = call.get("EntityNames", list)
    counts = []
    for name in names:
        table = call.context.store.schema.get(str(name))
        if table is None:
            raise ODataError(400, UNKNOWN_NAME, f"The entity with a name = '{name}' was not found.")
        call.context.may_read(table)
        counted = call.context.store.rows(f"SELECT count(*) AS total FROM {quoted(table.name)}")  # noqa: S608 - names of the schema
        counts.append(counted[0]["total"])
    content = {
        "Count": len(counts),
        "IsReadOnly": False,
        "Keys": [str(name) for name in names],
        "Values": counts,
    }
    return call.answer(EntityRecordCountCollection=content)


# What a new row takes from the row it is made for.
# https://learn.microsoft.com/power-apps/developer/data-platform/customize-entity-attribute-mappings
_MAPPINGS: dict[tuple[str, str], tuple[tuple[str, str], ...]] = {
    ("account", "contact"): (
        ("telephone1", "telephone1"),
        ("address1_line1", "address1_line1"),
        ("address1_city", "address1_city"),
        ("address1_stateorprovince", "address1_stateorprovince"),
        ("address1_postalcode", "address1_postalcode"),
        ("address1_country", "address1_country"),
    ),
    ("account", "account"): (
        ("telephone1", "telephone1"),
        ("address1_line1", "address1_line1"),
        ("address1_city", "address1_city"),
        ("address1_stateorprovince", "address1_stateorprovince"),
        ("address1_postalcode", "address1_postalcode"),
        ("address1_country", "address1_country"),
    ),
    ("lead", "opportunity"): (("subject", "name"), ("description", "description")),
    ("account", "opportunity"): (),
    ("contact", "opportunity"): (),
}
_PARENTS = {
    ("account", "contact"): "parentcustomerid_account",
    ("account", "account"): "parentaccountid",
    ("lead", "opportunity"): "originatingleadid",
    ("account", "opportunity"): "customerid_account",
    ("contact", "opportunity"): "customerid_contact",
}


def initialize_from(call: Call) -> Answer:
    """A new row with what it takes over from another; nothing is stored.

    https://learn.microsoft.com/power-apps/developer/data-platform/webapi/create-entity-web-api#create-a-new-record-from-another-record
    """
    call.needs("GET")
    source = call.reference("EntityMoniker")
    name = str(call.get("TargetEntityName", str))
    row = source.get(call.context.store)
    call.context.may_read(source.table)
    pair = (source.table.name, name)
    if pair not in _PARENTS:
        raise ODataError(400, UNKNOWN_NAME, f"No mapping leads from '{source.table.name}' to '{name}'.")
    root = call.context.request.root
    content: dict[str, Any] = {
        "@odata.context": f"{root}$metadata#{NAMESPACE}.{name}",
        "@odata.type": f"#{NAMESPACE}.{name}",
    }
    content |= {target: row[own] for own, target in _MAPPINGS[pair] if row[own] is not None}
    content[f"{_PARENTS[pair]}@odata.bind"] = f"{source.table.entity_set}({row[source.table.key]})"
    currency = row.get("transactioncurrencyid")
    if currency:
        content["transactioncurrencyid@odata.bind"] = f"transactioncurrencies({currency})"
    return Answer(200, content)


def retrieve_version(call: Call) -> Answer:
    """The version of the service.

    https://learn.microsoft.com/power-apps/developer/data-platform/webapi/reference/retrieveversion
    """
    call.needs("GET")
    return call.answer(Version=VERSION_OF_SERVICE)


def retrieve_current_organization(call: Call) -> Answer:
    """The organisation.

    https://learn.microsoft.com/power-apps/developer/data-platform/webapi/reference/retrievecurrentorganization
    """
    call.needs("GET")
    host = call.context.request.root
    detail = {
        "OrganizationId": ORGANIZATION_ID,
        "FriendlyName": "Contoso Sales",
        "OrganizationVersion": VERSION_OF_SERVICE,
        "UniqueName": "contososales",
        "UrlName": "contososales",
        "State": "Enabled",
        "OrganizationType": "CustomerTest",
        "Endpoints": {
            "Count": 1,
            "IsReadOnly": False,
            "Keys": ["WebApplication"],
            "Values": [host.partition("/api/")[0] + "/"],
        },
    }
    return call.answer(Detail=detail)
