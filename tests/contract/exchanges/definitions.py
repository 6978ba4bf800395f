"""Definitions of tables, columns, keys and relationships."""

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
_CHANGES = "power-apps/developer/data-platform/query-schema-definitions"
_DOCUMENT = "power-apps/developer/data-platform/webapi/web-api-service-documents"
_TYPES = "power-apps/developer/data-platform/webapi/web-api-types-operations"

_CRM = "Microsoft.Dynamics.CRM"
_ACCOUNT = "EntityDefinitions(LogicalName='account')"


def _said(text):
    return {"UserLocalizedLabel": {"Label": text, "LanguageCode": 1033}}


EXCHANGES = [
    Exchange(
        "the service document names the entity sets",
        _DOCUMENT,
        (
            Step(
                "GET",
                "",
                200,
                json={
                    "@odata.context": "{root}$metadata",
                    "value": containing({"name": "accounts", "kind": "EntitySet", "url": "accounts"}),
                },
            ),
        ),
    ),
    Exchange(
        "the CSDL document describes the types as XML",
        _DOCUMENT,
        (
            Step(
                "GET",
                "$metadata",
                200,
                text=matching(r'<EntityType (?=[^>]*Name="account")(?=[^>]*BaseType="mscrm\.crmbaseentity")'),
                headers={"Content-Type": matching("^application/xml")},
            ),
        ),
    ),
    Exchange(
        "the CSDL document names the schema as Dataverse does",
        _TYPES,
        (
            Step(
                "GET",
                "$metadata",
                200,
                text=matching(r'Namespace="Microsoft\.Dynamics\.CRM" Alias="mscrm"'),
            ),
        ),
    ),
    Exchange(
        "the CSDL document gives lookups as Guid properties beside navigation properties",
        _TYPES,
        (
            Step(
                "GET",
                "$metadata",
                200,
                text=matching(r'<Property Name="_primarycontactid_value" Type="Edm\.Guid"'),
            ),
            Step(
                "GET",
                "$metadata",
                200,
                text=matching(r'<NavigationProperty Name="primarycontactid" Type="mscrm\.contact"'),
            ),
        ),
    ),
    Exchange(
        "tables are listed with the properties that are selected",
        _QUERY,
        (
            Step(
                "GET",
                "EntityDefinitions?$select=DisplayName,EntitySetName",
                200,
                json={
                    "@odata.context": "{root}$metadata#EntityDefinitions(DisplayName,EntitySetName)",
                    "value": anything,
                },
            ),
            Step(
                "GET",
                "EntityDefinitions?$select=EntitySetName&$filter=LogicalName eq 'account'",
                200,
                json={"value": [{"EntitySetName": "accounts", "MetadataId": a_guid, "SchemaName": absent}]},
            ),
        ),
    ),
    Exchange(
        "tables are filtered by an enumeration with its type's name",
        _QUERY,
        (
            Step(
                "GET",
                "EntityDefinitions?$select=LogicalName"
                f"&$filter=OwnershipType eq {_CRM}.OwnershipTypes'UserOwned' and LogicalName eq 'lead'",
                200,
                json={"value": [{"LogicalName": "lead"}]},
            ),
        ),
    ),
    Exchange(
        "columns of a type are expanded with a filter on an enumeration",
        _QUERY,
        (
            Step(
                "GET",
                "EntityDefinitions?$select=LogicalName&$filter=LogicalName eq 'contact'"
                "&$expand=Attributes($select=LogicalName;"
                f"$filter=AttributeType eq {_CRM}.AttributeTypeCode'Picklist')",
                200,
                json={
                    "value": [
                        {
                            "LogicalName": "contact",
                            "Attributes": containing({"LogicalName": "preferredcontactmethodcode"}),
                        }
                    ]
                },
            ),
        ),
    ),
    Exchange(
        "managed properties are filtered by their value",
        _QUERY,
        (
            Step(
                "GET",
                "EntityDefinitions?$select=LogicalName"
                "&$filter=IsCustomizable/Value eq true and LogicalName eq 'account'",
                200,
                json={"value": [{"LogicalName": "account"}]},
            ),
        ),
    ),
    Exchange(
        "a table is found by its logical name",
        _BY_NAME,
        (
            Step(
                "GET",
                f"{_ACCOUNT}?$select=LogicalName,PrimaryIdAttribute,PrimaryNameAttribute",
                200,
                json={
                    "LogicalName": "account",
                    "PrimaryIdAttribute": "accountid",
                    "PrimaryNameAttribute": "name",
                    "MetadataId": a_guid,
                },
                capture={"id": "MetadataId"},
            ),
            Step("GET", "EntityDefinitions({id})?$select=LogicalName", 200, json={"LogicalName": "account"}),
        ),
    ),
    Exchange(
        "a column is found by its logical name",
        _BY_NAME,
        (
            Step(
                "GET",
                f"{_ACCOUNT}/Attributes(LogicalName='emailaddress1')?$select=AttributeType",
                200,
                json={
                    "@odata.type": f"#{_CRM}.StringAttributeMetadata",
                    "AttributeType": "String",
                    "MetadataId": a_guid,
                },
            ),
        ),
    ),
    Exchange(
        "a column cast to its type shows what only this type has",
        _BY_NAME,
        (
            Step(
                "GET",
                f"{_ACCOUNT}/Attributes(LogicalName='name')/{_CRM}.StringAttributeMetadata"
                "?$select=MaxLength,FormatName",
                200,
                json={"MaxLength": 160, "FormatName": anything},
            ),
        ),
    ),
    Exchange(
        "the options of a choice come with a cast and an expansion",
        _BY_NAME,
        (
            Step(
                "GET",
                f"{_ACCOUNT}/Attributes(LogicalName='accountcategorycode')/{_CRM}.PicklistAttributeMetadata"
                "?$select=LogicalName&$expand=OptionSet($select=Options),GlobalOptionSet($select=Options)",
                200,
                json={
                    "LogicalName": "accountcategorycode",
                    "OptionSet": {"Options": containing({"Value": 1, "Label": _said("Preferred Customer")})},
                    "GlobalOptionSet": None,
                },
            ),
        ),
    ),
    Exchange(
        "state options name the default status reason",
        _BY_NAME,
        (
            Step(
                "GET",
                f"{_ACCOUNT}/Attributes(LogicalName='statecode')/{_CRM}.StateAttributeMetadata"
                "?$select=LogicalName&$expand=OptionSet",
                200,
                json={"OptionSet": {"Options": containing({"Value": 0, "DefaultStatus": 1})}},
            ),
        ),
    ),
    Exchange(
        "a table that does not exist is not found",
        _BY_NAME,
        (Step("GET", "EntityDefinitions(LogicalName='nothing')", 404, json={"error": {"code": anything}}),),
    ),
    Exchange(
        "relationships are filtered by their kind",
        _QUERY,
        (
            Step(
                "GET",
                f"RelationshipDefinitions/{_CRM}.OneToManyRelationshipMetadata"
                "?$select=SchemaName&$filter=SchemaName eq 'contact_customer_accounts'",
                200,
                json={"value": [{"SchemaName": "contact_customer_accounts"}]},
            ),
            Step(
                "GET",
                f"RelationshipDefinitions?$filter=RelationshipType eq {_CRM}.RelationshipType"
                "'ManyToManyRelationship' and SchemaName eq 'new_project_contact'",
                200,
                json={"value": [{"@odata.type": f"#{_CRM}.ManyToManyRelationshipMetadata"}]},
            ),
        ),
    ),
    Exchange(
        "the relationships of a table tell the names of navigation properties",
        _QUERY,
        (
            Step(
                "GET",
                "EntityDefinitions(LogicalName='new_project')/ManyToOneRelationships"
                "?$filter=ReferencingAttribute eq 'new_accountid'"
                "&$select=ReferencingEntityNavigationPropertyName,ReferencedEntityNavigationPropertyName",
                200,
                json={
                    "value": [
                        {
                            "ReferencingEntityNavigationPropertyName": "new_AccountId",
                            "ReferencedEntityNavigationPropertyName": "new_account_new_project",
                        }
                    ]
                },
            ),
        ),
    ),
    Exchange(
        "definitions are queried with criteria and come with a stamp",
        _CHANGES,
        (
            Step(
                "GET",
                'RetrieveMetadataChanges(Query=@p1)?@p1={"Criteria":{"FilterOperator":"And","Conditions":['
                '{"PropertyName":"LogicalName","ConditionOperator":"Equals",'
                '"Value":{"Type":"System.String","Value":"account"}}]},'
                '"Properties":{"AllProperties":false,"PropertyNames":["SchemaName"]}}',
                200,
                json={
                    "EntityMetadata": [
                        {"LogicalName": "account", "SchemaName": "Account", "EntitySetName": absent}
                    ],
                    "ServerVersionStamp": anything,
                },
            ),
        ),
    ),
    Exchange(
        "a stamp that has expired asks for everything anew",
        _CHANGES,
        (
            Step(
                "GET",
                "RetrieveMetadataChanges(Query=@p1,ClientVersionStamp=@p2)?@p1={}&@p2='1!01/01/2000'",
                400,
                json=error("0x80044352"),
            ),
        ),
    ),
]
