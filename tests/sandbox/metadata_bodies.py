"""Definitions of tables, columns and relationships as bodies of requests."""

from __future__ import annotations

CAST = "Microsoft.Dynamics.CRM."
VISIT = "EntityDefinitions(LogicalName='new_visit')"
ACCOUNT = "EntityDefinitions(LogicalName='account')"


def label(text):
    return {"LocalizedLabels": [{"Label": text, "LanguageCode": 1033}]}


def column(kind, name, **properties):
    return {"@odata.type": f"{CAST}{kind}AttributeMetadata", "SchemaName": name, **properties}


def table(name="new_Visit", **properties):
    return {
        "@odata.type": f"{CAST}EntityMetadata",
        "SchemaName": name,
        "DisplayName": label("Visit"),
        "DisplayCollectionName": label("Visits"),
        "OwnershipType": "UserOwned",
        "HasNotes": False,
        "HasActivities": False,
        "Attributes": [column("String", "new_Name", IsPrimaryName=True, MaxLength=80)],
        **properties,
    }


def lookup(referenced="account", **properties):
    return {
        "@odata.type": f"{CAST}OneToManyRelationshipMetadata",
        "SchemaName": f"new_{referenced}_new_visit",
        "ReferencedEntity": referenced,
        "ReferencingEntity": "new_visit",
        "ReferencedAttribute": f"{referenced}id",
        "Lookup": column("Lookup", "new_PlaceId", DisplayName=label("Place")),
        **properties,
    }


async def made(crm, path, body):
    answer = await crm("POST", path, body)
    assert answer.status_code == 204, answer.text
    return answer.headers["OData-EntityId"]
