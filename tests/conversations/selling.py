"""What sellers do, by names alone; afterwards the CRM holds what was meant."""

from __future__ import annotations

from tests.conversations.conversation import Conversation, Holds

_WWI = "11 consulting days for Wide World Importers"
_NORTHWIND = "45 consulting days for Northwind Traders"
_BAKERY = "Ridgeway Hill Bakery"

SELLING = (
    Conversation(
        "The purchasing lead at Northwind wants 200 licences, put that in.",
        [
            (
                "create_record",
                {
                    "table": "opportunity",
                    "values": {"name": "200 licences for Northwind Traders", "Customer": "Northwind Traders"},
                },
            )
        ],
        says=["200 licences"],
        then=[
            Holds(
                "opportunities?$filter=name eq '200 licences for Northwind Traders' and "
                "customerid_account/name eq 'Northwind Traders'",
                {"statecode": 0},
            )
        ],
        bare=[
            ("list_accounts", {"filter": "contains(name,'Northwind')"}),
            (
                "create_opportunity",
                {
                    "name": "200 licences for Northwind Traders",
                    "customerid_account": "$0.records[0].accountid",
                },
            ),
        ],
    ),
    Conversation(
        "We lost the Wide World consulting deal on price.",
        [
            (
                "close_opportunity",
                {
                    "opportunity": _WWI,
                    "outcome": "lost",
                    "reason": "Out-Sold",
                    "note": "They found a lower price",
                },
            )
        ],
        says=["Lost", "Out-Sold"],
        then=[
            Holds(f"opportunities?$filter=name eq '{_WWI}'", {"statecode": 2, "statuscode": 5}),
            Holds("opportunitycloses?$filter=description eq 'They found a lower price'"),
        ],
    ),
    Conversation(
        "Northwind signed, 70,000 on the 20th!",
        [
            (
                "close_opportunity",
                {"opportunity": _NORTHWIND, "outcome": "won", "value": 70000, "date": "2026-11-20"},
            )
        ],
        says=["Won", "70000"],
        then=[
            Holds(
                f"opportunities?$filter=name eq '{_NORTHWIND}'",
                {"statecode": 1, "actualvalue": 70000.0, "actualclosedate": "2026-11-20"},
            )
        ],
    ),
    Conversation(
        "Close the Wide World deal as lost. - It is lost already? Leave it.",
        [
            ("close_opportunity", {"opportunity": _WWI, "outcome": "lost"}),
            ("close_opportunity", {"opportunity": _WWI, "outcome": "lost"}),
        ],
        says=["lost already", "Nothing was changed"],
        fails=True,
        then=[Holds(f"opportunities?$filter=name eq '{_WWI}'", {"statecode": 2})],
    ),
    Conversation(
        "Litware changed their mind, open that deal again.",
        [("reopen_opportunity", {"opportunity": "23 consulting days for Litware, Inc."})],
        says=["Open"],
        then=[
            Holds("opportunities?$filter=name eq '23 consulting days for Litware, Inc.'", {"statecode": 0})
        ],
        bare=[
            ("list_opportunities", {"filter": "contains(name,'Litware')"}),
            (
                "update_opportunity",
                {
                    "opportunityid": "$0.records[0].opportunityid",
                    "statecode": "Open",
                    "etag": "$0.records[0].etag",
                },
            ),
        ],
    ),
    Conversation(
        "Qualify Sakura Jiang.",
        [("qualify_lead", {"lead": "Sakura Jiang"})],
        says=["Holm Supply", "created (3)"],
        then=[
            Holds("leads?$filter=fullname eq 'Sakura Jiang'", {"statecode": 1}),
            Holds("accounts?$filter=name eq 'Holm Supply'"),
            Holds("contacts?$filter=fullname eq 'Sakura Jiang'"),
            Holds(
                "opportunities?$filter=name eq 'Interested in tablets' and statecode eq 0 and "
                "createdon ge 2026-11-24"
            ),
        ],
    ),
    Conversation(
        "Qualify Sakura Jiang, but only as a contact of Fabrikam; there is no deal yet.",
        [
            (
                "qualify_lead",
                {"lead": "Sakura Jiang", "account": "Fabrikam, Inc.", "contact": "new", "opportunity": False},
            )
        ],
        says=["Sakura Jiang", "Fabrikam, Inc."],
        then=[
            Holds("accounts?$filter=name eq 'Holm Supply'", count=0),
            Holds(
                "contacts?$filter=fullname eq 'Sakura Jiang' and "
                "parentcustomerid_account/name eq 'Fabrikam, Inc.'"
            ),
        ],
    ),
    Conversation(
        "Qualify the lead that is qualified already.",
        [("qualify_lead", {"lead": "stefanie.schulz@northwindtraders.example"})],
        says=["qualified already"],
        fails=True,
    ),
    Conversation(
        "Log a call with the bakery: they want a quote by Friday.",
        [
            (
                "log_activity",
                {
                    "type": "call",
                    "about": _BAKERY,
                    "subject": "Quote by Friday",
                    "direction": "in",
                    "text": "They want a quote by Friday",
                    "done": True,
                },
            )
        ],
        says=["Completed"],
        then=[
            Holds("phonecalls?$filter=subject eq 'Quote by Friday'", {"statecode": 1, "directioncode": False})
        ],
    ),
    Conversation(
        "Remind me to send the bakery an offer on the first of December.",
        [
            (
                "log_activity",
                {"type": "task", "about": _BAKERY, "subject": "Send the offer", "when": "2026-12-01"},
            )
        ],
        says=["Send the offer"],
        then=[
            Holds(
                "tasks?$filter=subject eq 'Send the offer' and scheduledend eq 2026-12-01T00:00:00Z",
                {"statecode": 0},
            )
        ],
    ),
    Conversation(
        "Put a meeting with Fabrikam into the diary, tomorrow at three.",
        [
            (
                "log_activity",
                {
                    "type": "meeting",
                    "about": "Fabrikam, Inc.",
                    "subject": "Kick-off",
                    "when": "2026-11-25T15:00",
                },
            )
        ],
        says=["2026-11-25 15:00"],
        then=[Holds("appointments?$filter=subject eq 'Kick-off' and scheduledstart eq 2026-11-25T15:00:00Z")],
    ),
    Conversation(
        "Note on Contoso: the budget is decided in January.",
        [
            (
                "log_activity",
                {"type": "note", "about": "Contoso Ltd", "subject": "Budget", "text": "Decided in January"},
            )
        ],
        says=["Contoso Ltd"],
        then=[Holds("annotations?$filter=subject eq 'Budget'", {"notetext": "Decided in January"})],
    ),
)
