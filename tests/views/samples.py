"""Results as the tools give them, believable enough for pictures."""

from __future__ import annotations

import random
from typing import Any

STAGES = ("Qualify", "Develop", "Propose", "Close")
MONTHS = ("2026-11", "2026-12", "2027-01", "2027-02", "2027-03", "2027-04")
CLOSE_MONTH = "estimatedclosedate:month"
HOSTILE = '<img src=x onerror="window.intruded = true"><script>window.intruded = true</script>'


def pipeline() -> dict[str, Any]:
    """Half a year of opportunities, by stage and month."""
    chance = random.Random(7)
    weights = {"Qualify": (1, 9), "Develop": (3, 7), "Propose": (4, 4), "Close": (5, 1)}
    groups = []
    for stage, (early, late) in weights.items():
        for place, month in enumerate(MONTHS):
            count = round((early * (5 - place) + late * place) / 5 * chance.uniform(0.6, 1.3))
            if count:
                value = count * chance.randrange(9_000, 42_000, 500)
                groups.append(
                    {
                        "stepname": stage,
                        CLOSE_MONTH: month,
                        "count": count,
                        "sum estimatedvalue": float(value),
                    }
                )
    return {
        "table": "opportunity",
        "by": ["stepname", CLOSE_MONTH],
        "groups": groups,
        "shown": len(groups),
        "more": False,
        "currency": "USD",
    }


def overview() -> dict[str, Any]:
    """An account with something of everything."""
    return {
        "record": {
            "table": "account",
            "id": "3c1f6a52-8d0b-4a51-9a44-5f7c2be01d11",
            "name": "Northwind Coffee Roasters",
            "url": "https://contoso.crm4.dynamics.com/main.aspx?etn=account&id=3c1f6a52",
            "industrycode": "Food and Tobacco Processing",
            "revenue": 18_400_000,
            "numberofemployees": 140,
            "telephone1": "+47 22 12 40 00",
            "emailaddress1": "post@northwind.example",
            "websiteurl": "https://northwind.example",
            "address1_city": "Oslo",
            "primarycontactid": {"id": "a7", "name": "Ingrid Solberg"},
            "ownerid": {"id": "u1", "name": "Maya Lindqvist"},
            "createdon": "2023-03-14T09:12:00Z",
        },
        "people": [
            {
                "id": "a7",
                "name": "Ingrid Solberg",
                "jobtitle": "Chief Operating Officer",
                "email": "ingrid.solberg@northwind.example",
                "phone": "+47 901 55 210",
            },
            {
                "id": "a8",
                "name": "Jonas Haugen",
                "jobtitle": "Head of Roasting",
                "email": "jonas@northwind.example",
            },
            {"id": "a9", "name": "Priya Raman", "jobtitle": "Purchasing", "phone": "+47 22 12 40 17"},
        ],
        "opportunities": {
            "open": 3,
            "value": 264_500.0,
            "currency": "USD",
            "records": [
                {
                    "id": "o1",
                    "name": "Two drum roasters for the Bergen plant",
                    "estimatedvalue": 186_000.0,
                    "estimatedclosedate": "2026-12-18",
                    "stepname": "Propose",
                },
                {
                    "id": "o2",
                    "name": "Service contract 2027",
                    "estimatedvalue": 54_000.0,
                    "estimatedclosedate": "2027-01-31",
                    "stepname": "Develop",
                },
                {
                    "id": "o3",
                    "name": "Barista training, four shops",
                    "estimatedvalue": 24_500.0,
                    "estimatedclosedate": "2027-03-15",
                    "stepname": "Qualify",
                },
            ],
        },
        "tasks": [
            {"id": "t1", "subject": "Send the revised offer with delivery in May", "due": "2026-11-20"},
            {"id": "t2", "subject": "Book the plant visit in Bergen", "due": "2026-12-02"},
        ],
        "activities": [
            {
                "type": "phonecall",
                "subject": "Ingrid asks for delivery before the season",
                "when": "2026-11-19T13:30:00Z",
                "state": "Completed",
            },
            {
                "type": "email",
                "subject": "Offer for two drum roasters",
                "when": "2026-11-12T08:05:00Z",
                "state": "Completed",
            },
            {
                "type": "appointment",
                "subject": "Plant visit in Bergen",
                "when": "2026-12-09T09:00:00Z",
                "state": "Scheduled",
            },
        ],
        "notes": [
            {
                "title": "After the call of 19 November",
                "text": "⟦Budget is agreed for this year. She decides alone up to 200,000; above that the "
                "board meets on 11 December.\nThe old roasters go to the Trondheim shop.⟧",
                "when": "2026-11-19T14:02:00Z",
            }
        ],
    }
