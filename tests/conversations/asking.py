"""Questions: nothing changes. The bare way asks what a model has to, with the ids it has to carry along."""

from __future__ import annotations

from tests.conversations.conversation import Conversation

_OPEN_AT = "customerid eq $0.records[0].accountid and statecode eq 'Open'"
_OPEN = {"column": "Status", "op": "eq", "value": "Open"}

ASKING = (
    Conversation(
        "What is open at Fabrikam and who should I call?",
        [("get_overview", {"record": "Fabrikam, Inc.", "table": "account"})],
        says=["Fabrikam, Inc.", "Bellevue"],
        bare=[
            ("list_accounts", {"filter": "contains(name,'Fabrikam')"}),
            ("get_account", {"accountid": "$0.records[0].accountid"}),
            ("list_contacts", {"filter": "parentcustomerid eq $0.records[0].accountid"}),
            (
                "list_opportunities",
                {"filter": "customerid eq $0.records[0].accountid and statecode eq 'Open'"},
            ),
        ],
    ),
    Conversation(
        "Brief me on Ridgeway Hill Bakery before my meeting.",
        [("get_overview", {"record": "Ridgeway Hill Bakery"})],
        says=["Max Wolff", "75100", "Arrange a visit with Kamil Szulc"],
        bare=[
            ("list_accounts", {"filter": "name eq 'Ridgeway Hill Bakery'"}),
            ("get_account", {"accountid": "$0.records[0].accountid", "format": "detailed"}),
            ("list_contacts", {"filter": "parentcustomerid eq $0.records[0].accountid"}),
            (
                "list_opportunities",
                {"filter": "customerid eq $0.records[0].accountid and statecode eq 'Open'"},
            ),
        ],
    ),
    Conversation(
        "How does the pipeline look by stage?",
        [
            (
                "summarize_records",
                {
                    "table": "opportunity",
                    "measures": ["count", "sum estimatedvalue"],
                    "by": ["stepname"],
                    "where": [_OPEN],
                },
            )
        ],
        says=["2-Develop", "USD | 96 | 6036400", "EUR | 42 | 2857300"],
        bare=[
            (
                "list_opportunities",
                {
                    "filter": "statecode eq 'Open'",
                    "top": 200,
                    "select": ["name", "estimatedvalue", "stepname"],
                },
            ),
        ],
    ),
    Conversation(
        "What closes in which month, and how much is it?",
        [
            (
                "summarize_records",
                {
                    "table": "opportunity",
                    "measures": ["count", "sum estimatedvalue"],
                    "by": ["estimatedclosedate:month"],
                    "where": [_OPEN],
                },
            )
        ],
        says=["2026-12", "2027-01"],
        bare=[
            (
                "list_opportunities",
                {
                    "filter": "statecode eq 'Open'",
                    "top": 200,
                    "select": ["name", "estimatedvalue", "estimatedclosedate"],
                },
            ),
        ],
    ),
    Conversation(
        "Who won how much this year?",
        [
            (
                "summarize_records",
                {
                    "table": "opportunity",
                    "measures": ["count", "sum actualvalue"],
                    "by": ["Owner"],
                    "where": [
                        {"column": "Status", "op": "eq", "value": "Won"},
                        {"column": "actualclosedate", "op": "ge", "value": "2026-01-01"},
                    ],
                },
            )
        ],
        says=["Kim Akers", "Robin Counts"],
        bare=[
            (
                "list_opportunities",
                {
                    "filter": "statecode eq 'Won' and actualclosedate ge 2026-01-01",
                    "top": 200,
                    "select": ["name", "actualvalue", "ownerid"],
                },
            ),
        ],
    ),
    Conversation(
        "How many accounts do we have in each city?",
        [("summarize_records", {"table": "account", "by": ["City"], "top": 15})],
        says=["groups (15)"],
        bare=[("list_accounts", {"top": 200, "select": ["name", "address1_city"]})],
    ),
    Conversation(
        "Which are our five biggest open deals?",
        [
            (
                "query_records",
                {
                    "table": "opportunity",
                    "where": [_OPEN],
                    "orderby": "estimatedvalue desc",
                    "top": 5,
                    "columns": ["name", "estimatedvalue", "Customer", "estimatedclosedate"],
                },
            )
        ],
        says=["244400", "Lucerne Publishing"],
        bare=[
            (
                "list_opportunities",
                {"filter": "statecode eq 'Open'", "orderby": "estimatedvalue desc", "top": 5},
            )
        ],
    ),
    Conversation(
        "Who is Tomás Duarte?",
        [("find_records", {"text": "Tomás Duarte"})],
        says=["Head of Training", "Adatum Corporation"],
        bare=[
            ("list_contacts", {"filter": "contains(fullname,'Tomás Duarte')"}),
            ("list_leads", {"filter": "contains(fullname,'Tomás Duarte')"}),
        ],
    ),
    Conversation(
        "What do we know of Northwind?",
        [("find_records", {"text": "Northwind"})],
        says=["Northwind Traders San Francisco", "45 consulting days"],
        bare=[
            ("list_accounts", {"filter": "contains(name,'Northwind')"}),
            ("list_leads", {"filter": "contains(companyname,'Northwind')"}),
            ("list_opportunities", {"filter": "contains(name,'Northwind')"}),
        ],
    ),
    Conversation(
        "Which of Dana's deals close by the end of November?",
        [
            (
                "query_records",
                {
                    "table": "opportunity",
                    "columns": ["name", "estimatedvalue", "estimatedclosedate"],
                    "where": [
                        _OPEN,
                        {"column": "Owner", "op": "eq", "value": "Dana Ortiz"},
                        {"column": "estimatedclosedate", "op": "le", "value": "2026-11-30"},
                    ],
                },
            )
        ],
        says=["11 consulting days for Wide World Importers"],
        bare=[
            (
                "list_opportunities",
                {
                    "top": 50,
                    "orderby": "estimatedclosedate asc",
                    "filter": "statecode eq 'Open' and estimatedclosedate le 2026-11-30",
                },
            ),
        ],
    ),
    Conversation(
        "Which hot leads came from the web?",
        [
            (
                "query_records",
                {
                    "table": "lead",
                    "columns": ["fullname", "companyname", "telephone1"],
                    "where": [
                        _OPEN,
                        {"column": "Rating", "value": "Hot"},
                        {"column": "Lead source", "value": "Web"},
                    ],
                },
            )
        ],
        says=["shown"],
        bare=[
            (
                "list_leads",
                {"filter": "statecode eq 'Open' and leadqualitycode eq 'Hot' and leadsourcecode eq 'Web'"},
            )
        ],
    ),
    Conversation(
        "Which people at Litware can I write to?",
        [
            (
                "query_records",
                {
                    "table": "contact",
                    "columns": ["fullname", "jobtitle", "emailaddress1"],
                    "where": [{"column": "parentcustomerid", "op": "eq", "value": "Litware, Inc."}],
                },
            )
        ],
        says=["raul.delgado@litware.example"],
        bare=[
            ("list_accounts", {"filter": "contains(name,'Litware')"}),
            ("list_contacts", {"filter": "parentcustomerid eq $0.records[0].accountid"}),
        ],
    ),
    Conversation(
        "Why do we lose deals?",
        [
            (
                "summarize_records",
                {
                    "table": "opportunity",
                    "measures": ["count", "sum estimatedvalue"],
                    "by": ["Status reason"],
                    "where": [{"column": "Status", "value": "Lost"}],
                },
            )
        ],
        says=["Out-Sold", "Canceled"],
        bare=[
            (
                "list_opportunities",
                {
                    "filter": "statecode eq 'Lost'",
                    "top": 200,
                    "select": ["name", "estimatedvalue", "statuscode"],
                },
            )
        ],
    ),
    Conversation(
        "What can I do here, and as whom?",
        [("whoami", {})],
        says=["Alex Baker", "Contoso Sales", "sales-assistant"],
    ),
    Conversation(
        "What does a lead hold?",
        [("describe_table", {"table": "lead"})],
        says=["leadqualitycode", "Hot, Warm, Cold"],
    ),
    Conversation(
        "Is Adatum Seattle in twice?",
        [("find_duplicates", {"table": "account", "record": "Adatum Seattle"})],
        says=["Adatum Corporation"],
        bare=[
            ("list_accounts", {"filter": "contains(name,'Adatum')"}),
            ("get_account", {"accountid": "$0.records[0].accountid", "format": "detailed"}),
            ("list_accounts", {"filter": "emailaddress1 eq 'info@adatum.example'"}),
        ],
    ),
    Conversation(
        "Who should I call at Litware, and is anything open?",
        [("get_overview", {"record": "Litware, Inc."})],
        says=["Raúl Delgado", "Scott White"],
        bare=[
            ("list_accounts", {"filter": "contains(name,'Litware')"}),
            ("get_account", {"accountid": "$0.records[0].accountid"}),
            ("list_contacts", {"filter": "parentcustomerid eq $0.records[0].accountid"}),
            ("list_opportunities", {"filter": _OPEN_AT}),
        ],
    ),
    Conversation(
        "Catch me up on Proseware.",
        [("get_overview", {"record": "Proseware, Inc."})],
        says=["Radha Ghosh"],
        bare=[
            ("list_accounts", {"filter": "contains(name,'Proseware')"}),
            ("get_account", {"accountid": "$0.records[0].accountid", "format": "detailed"}),
            ("list_contacts", {"filter": "parentcustomerid eq $0.records[0].accountid"}),
            ("list_opportunities", {"filter": _OPEN_AT}),
        ],
    ),
    Conversation(
        "Who is Sakura Jiang, and do we know her company?",
        [("find_records", {"text": "Sakura Jiang"}), ("find_records", {"text": "Holm Supply"})],
        says=["Holm Supply"],
        bare=[
            ("list_leads", {"filter": "fullname eq 'Sakura Jiang'"}),
            ("get_lead", {"leadid": "$0.records[0].leadid"}),
            ("list_contacts", {"filter": "fullname eq 'Sakura Jiang'"}),
            ("list_accounts", {"filter": "contains(name,'Holm Supply')"}),
            ("list_leads", {"filter": "companyname eq 'Holm Supply'"}),
        ],
    ),
    Conversation(
        "What do we have going with Jessica Jones?",
        [("get_overview", {"record": "jessica.jones@contoso.example", "table": "contact"})],
        says=["Controller"],
        bare=[
            ("list_contacts", {"filter": "emailaddress1 eq 'jessica.jones@contoso.example'"}),
            ("get_contact", {"contactid": "$0.records[0].contactid", "format": "detailed"}),
            (
                "list_opportunities",
                {"filter": "parentcontactid eq $0.records[0].contactid and statecode eq 'Open'"},
            ),
        ],
    ),
    Conversation(
        "Tell me about the deal with Wide World.",
        [("get_overview", {"record": "Wide World Importer"})],
        says=["unknown_record", "Wide World Importers"],
        fails=True,
    ),
    Conversation(
        "Show me deals in stage Propse.",
        [
            (
                "query_records",
                {"table": "opportunity", "where": [{"column": "statuscode", "value": "In Progess"}]},
            )
        ],
        says=["Did you mean In Progress"],
        fails=True,
    ),
)
