"""What the sample of queries shows of aggregation and FetchXML."""

from tests.contract.exchange import ANNOTATED, Exchange, Step, absent, counting, matching
from tests.contract.exchanges.sample_query import SETUP

_SUM = "power-apps/developer/data-platform/webapi/query/aggregate-data"
_FETCH = "power-apps/developer/data-platform/webapi/query/overview"

EXCHANGES = [
    Exchange(
        "values are averaged, summed and counted",
        _SUM,
        (
            SETUP,
            Step(
                "GET",
                "contacts?$apply=filter(_parentcustomerid_value eq {new1})/aggregate("
                "annualincome with average as average,annualincome with sum as total,"
                "annualincome with min as least,annualincome with max as most,$count as number)",
                200,
                json={
                    "value": [
                        {"average": 51687.5, "total": 413500, "least": 25500, "most": 95000, "number": 9}
                    ]
                },
            ),
        ),
    ),
    Exchange(
        "rows are grouped by a column with a sum for each group",
        _SUM,
        (
            SETUP,
            Step(
                "GET",
                "contacts?$apply=filter(_parentcustomerid_value eq {new1} and jobtitle eq 'Clerk')"
                "/groupby((jobtitle),aggregate(annualincome with sum as total,$count as number))",
                200,
                json={"value": [{"jobtitle": "Clerk", "total": 115000, "number": 2}]},
            ),
        ),
    ),
    Exchange(
        "distinct values are counted",
        _SUM,
        (
            SETUP,
            Step(
                "GET",
                "contacts?$apply=filter(_parentcustomerid_value eq {new1})"
                "/aggregate(jobtitle with countdistinct as titles)",
                200,
                json={"value": [{"titles": 6}]},
            ),
        ),
    ),
    Exchange(
        "a query in FetchXML is sent in the address",
        _FETCH,
        (
            SETUP,
            Step(
                "GET",
                "contacts?fetchXml=<fetch><entity name='contact'><attribute name='fullname'/><filter>"
                "<condition attribute='jobtitle' operator='eq' value='Ninja'/></filter></entity></fetch>",
                200,
                json={"value": [{"fullname": "Paul Cannon"}]},
            ),
        ),
    ),
    Exchange(
        "pages of FetchXML come with a cookie",
        "power-apps/developer/data-platform/fetchxml/page-results",
        (
            SETUP,
            Step(
                "GET",
                "contacts?fetchXml=<fetch count='4' page='1'><entity name='contact'>"
                "<attribute name='lastname'/><order attribute='lastname'/><filter>"
                "<condition attribute='parentcustomerid' operator='eq' value='{new1}'/></filter>"
                "</entity></fetch>",
                200,
                sent=ANNOTATED,
                json={
                    "value": counting(4),
                    "@Microsoft.Dynamics.CRM.morerecords": True,
                    "@Microsoft.Dynamics.CRM.fetchxmlpagingcookie": matching("pagingcookie"),
                    "@odata.nextLink": absent,
                },
            ),
        ),
    ),
]
