"""Records changed, by names alone; afterwards the CRM holds what was meant."""

from __future__ import annotations

from tests.conversations.conversation import Conversation, Holds

_BAKERY = "Ridgeway Hill Bakery"
_NORTHWIND = "45 consulting days for Northwind Traders"

CHANGING = (
    Conversation(
        "Fabrikam moved to Seattle.",
        [("update_record", {"table": "account", "record": "Fabrikam, Inc.", "values": {"City": "Seattle"}})],
        says=["Seattle"],
        then=[Holds("accounts?$filter=name eq 'Fabrikam, Inc.'", {"address1_city": "Seattle"})],
        bare=[
            ("list_accounts", {"filter": "contains(name,'Fabrikam')"}),
            (
                "update_account",
                {
                    "accountid": "$0.records[0].accountid",
                    "etag": "$0.records[0].etag",
                    "address1_city": "Seattle",
                },
            ),
        ],
    ),
    Conversation(
        "Jessica Jones at Contoso is finance director now.",
        [
            (
                "update_record",
                {
                    "table": "contact",
                    "record": "jessica.jones@contoso.example",
                    "values": {"Job title": "Finance Director"},
                },
            )
        ],
        says=["Finance Director"],
        then=[
            Holds(
                "contacts?$filter=emailaddress1 eq 'jessica.jones@contoso.example'",
                {"jobtitle": "Finance Director"},
            )
        ],
        bare=[
            ("list_contacts", {"filter": "fullname eq 'Jessica Jones'"}),
            (
                "update_contact",
                {
                    "contactid": "$0.records[0].contactid",
                    "jobtitle": "Finance Director",
                    "etag": "$0.records[0].etag",
                },
            ),
        ],
    ),
    Conversation(
        "Enter a lead: Mia Lund, Fjord Marine, wants training, met at the trade show, hot.",
        [
            (
                "create_record",
                {
                    "table": "lead",
                    "values": {
                        "First name": "Mia",
                        "Last name": "Lund",
                        "Company name": "Fjord Marine",
                        "Topic": "Training",
                        "Lead source": "Trade Show",
                        "Rating": "Hot",
                    },
                },
            )
        ],
        says=["Fjord Marine"],
        then=[
            Holds(
                "leads?$filter=companyname eq 'Fjord Marine'",
                {"fullname": "Mia Lund", "leadqualitycode": 1, "leadsourcecode": 7},
            )
        ],
        bare=[
            (
                "create_lead",
                {
                    "firstname": "Mia",
                    "lastname": "Lund",
                    "companyname": "Fjord Marine",
                    "subject": "Training",
                    "leadsourcecode": "Trade Show",
                    "leadqualitycode": "Hot",
                },
            ),
        ],
    ),
    Conversation(
        "Add Ola Berg, head of IT, to Fabrikam.",
        [
            (
                "create_record",
                {
                    "table": "contact",
                    "values": {
                        "First name": "Ola",
                        "Last name": "Berg",
                        "Job title": "Head of IT",
                        "parentcustomerid": "Fabrikam, Inc.",
                    },
                },
            )
        ],
        says=["Berg"],
        then=[
            Holds(
                "contacts?$filter=fullname eq 'Ola Berg' and "
                "parentcustomerid_account/name eq 'Fabrikam, Inc.'",
                {"jobtitle": "Head of IT"},
            )
        ],
        bare=[
            ("list_accounts", {"filter": "contains(name,'Fabrikam')"}),
            (
                "create_contact",
                {
                    "firstname": "Ola",
                    "lastname": "Berg",
                    "jobtitle": "Head of IT",
                    "parentcustomerid_account": "$0.records[0].accountid",
                },
            ),
        ],
    ),
    Conversation(
        "Give the bakery to Kim.",
        [("assign_record", {"table": "account", "record": _BAKERY, "to": "Kim Akers"})],
        says=["Kim Akers"],
        then=[Holds(f"accounts?$filter=name eq '{_BAKERY}' and owninguser/fullname eq 'Kim Akers'")],
    ),
    Conversation(
        "A. Datum is the same as Adatum Corporation; merge them.",
        [("merge_records", {"table": "account", "keep": "Adatum Corporation", "merge": "A. Datum"})],
        says=["Adatum Corporation", "deactivated"],
        then=[
            Holds("accounts?$filter=name eq 'A. Datum'", {"statecode": 1}),
            Holds(
                "contacts?$filter=fullname eq 'Brian Miller' and "
                "parentcustomerid_account/name eq 'Adatum Corporation'"
            ),
        ],
    ),
    Conversation(
        "Brian Miller belongs to Adatum Seattle.",
        [
            (
                "link_records",
                {
                    "table": "contact",
                    "record": "brian.miller@adatum.example",
                    "to_table": "account",
                    "to": "Adatum Seattle",
                },
            )
        ],
        says=["Adatum Seattle"],
        then=[
            Holds(
                "contacts?$filter=fullname eq 'Brian Miller' and "
                "parentcustomerid_account/name eq 'Adatum Seattle'"
            )
        ],
        bare=[
            ("list_contacts", {"filter": "emailaddress1 eq 'brian.miller@adatum.example'"}),
            ("list_accounts", {"filter": "name eq 'Adatum Seattle'"}),
            (
                "update_contact",
                {
                    "contactid": "$0.records[0].contactid",
                    "etag": "$0.records[0].etag",
                    "parentcustomerid_account": "$1.records[0].accountid",
                },
            ),
        ],
    ),
    Conversation(
        "No wait, undo that.",
        [
            ("update_record", {"table": "account", "record": "Fabrikam, Inc.", "values": {"City": "Paris"}}),
            ("list_changes", {"top": 1}),
            ("undo_change", {"change_id": "$1.records[0].change_id"}),
        ],
        says=["Bellevue"],
        then=[Holds("accounts?$filter=name eq 'Fabrikam, Inc.'", {"address1_city": "Bellevue"})],
    ),
    Conversation(
        "What would it take to delete the lead Sekou Boateng? - Then do it.",
        [
            ("delete_record", {"table": "lead", "record": "Sekou Boateng", "dry_run": True}),
            ("delete_record", {"table": "lead", "record": "Sekou Boateng"}),
        ],
        then=[Holds("leads?$filter=fullname eq 'Sekou Boateng'", count=0)],
        bare=[
            ("list_leads", {"filter": "fullname eq 'Sekou Boateng'"}),
            (
                "delete_lead",
                {"leadid": "$0.records[0].leadid", "etag": "$0.records[0].etag", "dry_run": True},
            ),
            ("delete_lead", {"leadid": "$0.records[0].leadid", "etag": "$0.records[0].etag"}),
        ],
    ),
    Conversation(
        "Move the Northwind deal to the Propose stage, worth 80,000, closing at the end of the year.",
        [
            (
                "update_record",
                {
                    "table": "opportunity",
                    "record": _NORTHWIND,
                    "values": {
                        "stepname": "3-Propose",
                        "Estimated revenue": 80000,
                        "Estimated close date": "2026-12-31",
                    },
                },
            )
        ],
        says=["3-Propose", "80000"],
        then=[
            Holds(
                f"opportunities?$filter=name eq '{_NORTHWIND}'",
                {"estimatedvalue": 80000.0, "estimatedclosedate": "2026-12-31"},
            )
        ],
        bare=[
            ("list_opportunities", {"filter": f"name eq '{_NORTHWIND}'"}),
            (
                "update_opportunity",
                {
                    "opportunityid": "$0.records[0].opportunityid",
                    "stepname": "3-Propose",
                    "estimatedvalue": 80000,
                    "estimatedclosedate": "2026-12-31",
                },
            ),
        ],
    ),
    Conversation(
        "Lucy Kelly decides on the Northwind deal; and Northwind belongs to Wide World Importers now.",
        [
            (
                "update_record",
                {"table": "opportunity", "record": _NORTHWIND, "values": {"parentcontactid": "Lucy Kelly"}},
            ),
            (
                "update_record",
                {
                    "table": "account",
                    "record": "Northwind Traders",
                    "values": {"Parent account": "Wide World Importers"},
                },
            ),
        ],
        says=["Wide World Importers"],
        then=[
            Holds(
                f"opportunities?$filter=name eq '{_NORTHWIND}' and parentcontactid/fullname eq 'Lucy Kelly'"
            ),
            Holds(
                "accounts?$filter=name eq 'Northwind Traders' and "
                "parentaccountid/name eq 'Wide World Importers'"
            ),
        ],
        bare=[
            ("list_opportunities", {"filter": f"name eq '{_NORTHWIND}'"}),
            ("list_contacts", {"filter": "fullname eq 'Lucy Kelly'"}),
            (
                "update_opportunity",
                {
                    "opportunityid": "$0.records[0].opportunityid",
                    "parentcontactid": "$1.records[0].contactid",
                },
            ),
            ("list_accounts", {"filter": "name eq 'Northwind Traders'"}),
            ("list_accounts", {"filter": "name eq 'Wide World Importers'"}),
            (
                "update_account",
                {"accountid": "$3.records[0].accountid", "parentaccountid": "$4.records[0].accountid"},
            ),
        ],
    ),
    Conversation(
        "Put these three people from the fair in as leads. - Yes, do it.",
        [
            (
                "import_records",
                {
                    "table": "lead",
                    "rows": [
                        {"Last name": "Lund", "Company name": "Fjord Marine", "Lead source": "Trade Show"},
                        {"Last name": "Berg", "Company name": "Nord Bygg", "Lead source": "Trade Show"},
                        {"Last name": "Moen", "Company name": "Fjord Marine", "Lead source": "Trade Show"},
                    ],
                },
            ),
            ("import_records", {"job": "$0.job"}),
        ],
        says=["created: 3"],
        then=[Holds("leads?$filter=leadsourcecode eq 7 and companyname eq 'Fjord Marine'", {}, 2)],
    ),
    Conversation(
        "Set Fabrikam's industry to acounting.",
        [
            (
                "update_record",
                {"table": "account", "record": "Fabrikam, Inc.", "values": {"Industry": "acounting"}},
            ),
            (
                "update_record",
                {"table": "account", "record": "Fabrikam, Inc.", "values": {"Industry": "Accounting"}},
            ),
        ],
        then=[Holds("accounts?$filter=name eq 'Fabrikam, Inc.'", {"industrycode": 1})],
    ),
)
