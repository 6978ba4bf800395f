"""Relationships that requests make and remove, and the lookups that come and go with them."""

import pytest

from tests.sandbox.conftest import error
from tests.sandbox.metadata_bodies import CAST, column, lookup, made, table


@pytest.fixture
async def visits(crm):
    """A sandbox with the table of visits."""
    await made(crm, "EntityDefinitions", table())
    return crm


async def test_a_relationship_brings_its_lookup_and_goes_with_it(visits):
    address = await made(visits, "RelationshipDefinitions", lookup())
    (account,) = await visits.rows("accounts?$top=1&$select=name")
    path = f"/accounts({account['accountid']})"
    visit = await visits.new("new_visits", new_name="At", **{"new_PlaceId@odata.bind": path})
    assert visit["_new_placeid_value"] == account["accountid"]
    rows = await visits.rows(f"accounts({account['accountid']})/new_account_new_visit?$select=new_name")
    assert [row["new_name"] for row in rows] == ["At"]
    assert (await visits("DELETE", address)).status_code == 204
    assert error(await visits("GET", "new_visits?$expand=new_PlaceId")) == (400, "0x80060888")
    assert error(await visits("GET", address)) == (404, "0x80060888")


@pytest.mark.parametrize(
    ("delete", "status", "left"), [("Cascade", 204, 0), ("RemoveLink", 204, 1), ("Restrict", 405, 1)]
)
async def test_a_relationship_says_what_a_delete_does(visits, delete, status, left):
    await made(visits, "RelationshipDefinitions", lookup(CascadeConfiguration={"Delete": delete}))
    account = await visits.new("accounts", name="Place")
    path = f"accounts({account['accountid']})"
    await visits.new("new_visits", new_name="At", **{"new_PlaceId@odata.bind": f"/{path}"})
    assert (await visits("DELETE", path)).status_code == status
    assert len(await visits.rows("new_visits")) == left


async def test_a_many_to_many_relationship_links_rows(visits):
    body = {
        "@odata.type": f"{CAST}ManyToManyRelationshipMetadata",
        "SchemaName": "new_visit_contact",
        "Entity1LogicalName": "new_visit",
        "Entity2LogicalName": "contact",
        "IntersectEntityName": "new_visit_contact",
    }
    address = await made(visits, "RelationshipDefinitions", body)
    assert error(await visits("POST", "RelationshipDefinitions", body)) == (400, "0x80040203")
    visit = await visits.new("new_visits", new_name="Linked")
    contact = await visits.new("contacts", lastname="Guest")
    link = f"new_visits({visit['new_visitid']})/new_visit_contact"
    target = {"@odata.id": f"https://sandbox.invalid/api/data/v9.2/contacts({contact['contactid']})"}
    assert (await visits("POST", f"{link}/$ref", target)).status_code == 204
    assert [row["lastname"] for row in await visits.rows(link)] == ["Guest"]
    assert (await visits("DELETE", address)).status_code == 204
    assert (await visits("GET", link)).status_code in (400, 404)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (lookup("new_nothing"), (404, "0x80041102")),
        (lookup(SchemaName="visits"), (400, "0x80040203")),
        (lookup(SchemaName="contact_customer_accounts"), (400, "0x80040203")),
        (lookup(Lookup=None), (400, "0x80048d19")),
        (lookup(ReferencedAttribute="name"), (400, "0x80040203")),
        (lookup(ReferencingEntity="activitypointer"), (400, "0x80040203")),
        (lookup(CascadeConfiguration={"Delete": "Perhaps"}), (400, "0x80040203")),
        (lookup(Lookup=column("Lookup", "new_name")), (400, "0x80047013")),
        ({**lookup(), "@odata.type": f"{CAST}EntityMetadata"}, (400, "0x80048d19")),
    ],
)
async def test_a_relationship_that_cannot_be_is_refused(visits, body, expected):
    assert error(await visits("POST", "RelationshipDefinitions", body)) == expected


async def test_a_standard_relationship_is_not_removed(crm):
    path = "RelationshipDefinitions(SchemaName='contact_customer_accounts')"
    assert error(await crm("DELETE", path)) == (400, "0x80040203")
