"""The service document and $metadata: the rules of CSDL 4.0, checked without the sandbox's own model."""

import re
from collections import Counter
from xml.etree import ElementTree as ET

import pytest

from crm_sandbox.operations import registry

EDM = "{http://docs.oasis-open.org/odata/ns/edm}"
EDMX = "{http://docs.oasis-open.org/odata/ns/edmx}"
PRIMITIVES = {
    f"Edm.{name}"
    for name in ("Guid", "String", "Int32", "Int64", "Double", "Decimal", "Boolean", "Date", "DateTimeOffset")
}
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")


@pytest.fixture
async def document(crm):
    answer = await crm("GET", "$metadata")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("application/xml")
    root = ET.fromstring(answer.content)  # noqa: S314 - what the sandbox itself wrote
    assert root.tag == f"{EDMX}Edmx"
    assert root.get("Version") == "4.0"
    (schema,) = root.iterfind(f"{EDMX}DataServices/{EDM}Schema")
    return schema


def bare(type_name):
    """The name inside Collection(...), without the namespace or its alias."""
    inner = type_name.removeprefix("Collection(").removesuffix(")")
    return inner.removeprefix("mscrm.").removeprefix("Microsoft.Dynamics.CRM.")


def named(schema, kind):
    found = {element.get("Name"): element for element in schema.iterfind(f"{EDM}{kind}")}
    assert len(found) == len(schema.findall(f"{EDM}{kind}"))
    return found


async def test_every_type_that_is_named_is_there(document):
    known = {*named(document, "EntityType"), *named(document, "ComplexType"), *named(document, "EnumType")}
    used = [element.get("Type") for element in document.iter() if element.get("Type")]
    assert len(used) > 500
    unknown = {name for name in used if bare(name) not in known and bare(name) not in PRIMITIVES}
    assert not unknown


async def test_names_are_identifiers_and_stand_once_in_a_type(document):
    for entity in named(document, "EntityType").values():
        names = [item.get("Name") for item in entity if item.tag != f"{EDM}Key"]
        assert [name for name, count in Counter(names).items() if count > 1] == []
        assert [name for name in names if not NAME.fullmatch(name)] == []


async def test_every_row_type_has_a_key_that_is_a_property_and_not_nullable(document):
    for name, entity in named(document, "EntityType").items():
        if entity.get("Abstract") == "true":
            continue
        (reference,) = entity.iterfind(f"{EDM}Key/{EDM}PropertyRef")
        key = next(p for p in entity.iterfind(f"{EDM}Property") if p.get("Name") == reference.get("Name"))
        assert (key.get("Type"), key.get("Nullable")) == ("Edm.Guid", "false"), name


async def test_the_two_ends_of_a_relationship_name_each_other(document):
    entities = named(document, "EntityType")
    for name, entity in entities.items():
        for navigation in entity.iterfind(f"{EDM}NavigationProperty"):
            other = entities[bare(navigation.get("Type"))]
            partners = {item.get("Name"): item for item in other.iterfind(f"{EDM}NavigationProperty")}
            partner = partners[navigation.get("Partner")]
            assert bare(partner.get("Type")) == name
            assert partner.get("Partner") == navigation.get("Name")


async def test_a_lookup_says_which_property_holds_the_key_of_the_other_row(document):
    entities = named(document, "EntityType")
    properties = {
        name: {item.get("Name") for item in entity.iterfind(f"{EDM}Property")}
        for name, entity in entities.items()
    }
    seen = 0
    for name, entity in entities.items():
        for navigation in entity.iterfind(f"{EDM}NavigationProperty"):
            for constraint in navigation.iterfind(f"{EDM}ReferentialConstraint"):
                seen += 1
                assert constraint.get("Property") in properties[name]
                assert constraint.get("ReferencedProperty") in properties[bare(navigation.get("Type"))]
    assert seen > 50


async def test_every_entity_set_binds_every_navigation_property(document):
    entities = named(document, "EntityType")
    (container,) = document.iterfind(f"{EDM}EntityContainer")
    sets = {item.get("Name"): item for item in container.iterfind(f"{EDM}EntitySet")}
    for entity_set in sets.values():
        entity = entities[bare(entity_set.get("EntityType"))]
        navigations = {
            item.get("Name"): bare(item.get("Type")) for item in entity.iterfind(f"{EDM}NavigationProperty")
        }
        bound = {
            item.get("Path"): bare(sets[item.get("Target")].get("EntityType"))
            for item in entity_set.iterfind(f"{EDM}NavigationPropertyBinding")
        }
        assert bound == navigations


async def test_it_lists_the_actions_and_functions_that_the_sandbox_has(document):
    operations = [*document.iterfind(f"{EDM}Action"), *document.iterfind(f"{EDM}Function")]
    alone = {item.get("Name") for item in operations if item.get("IsBound") is None}
    assert alone == set(registry.UNBOUND)
    bound = {
        (item.find(f"{EDM}Parameter").get("Type").removeprefix("mscrm."), item.get("Name"))
        for item in operations
        if item.get("IsBound") and not item.find(f"{EDM}Parameter").get("Type").startswith("Collection")
    }
    assert bound == set(registry.ON_ROW)
    (container,) = document.iterfind(f"{EDM}EntityContainer")
    imported = {
        item.get("Name")
        for kind in ("ActionImport", "FunctionImport")
        for item in container.iterfind(f"{EDM}{kind}")
    }
    assert imported == alone


async def test_the_service_document_names_the_entity_sets_of_the_document(crm, document):
    answer = (await crm("GET", "")).json()
    (container,) = document.iterfind(f"{EDM}EntityContainer")
    assert {item["name"] for item in answer["value"]} == {
        item.get("Name") for item in container.iterfind(f"{EDM}EntitySet")
    }
    assert all(item["kind"] == "EntitySet" and item["url"] == item["name"] for item in answer["value"])
    for item in answer["value"]:
        rows = await crm("GET", f"{item['url']}?$top=1")
        assert rows.status_code == 200, item


async def test_every_property_of_an_answer_stands_in_the_document(crm, document):
    entities = named(document, "EntityType")
    for entity_set, name in (("accounts", "account"), ("opportunities", "opportunity"), ("tasks", "task")):
        declared = {item.get("Name") for item in entities[name].iterfind(f"{EDM}Property")}
        (row,) = await crm.rows(f"{entity_set}?$top=1")
        assert {key for key in row if "@" not in key} <= declared
