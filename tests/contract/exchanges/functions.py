"""The query functions of Dataverse. The sandbox's clock stands at 2026-11-23 09:30 UTC, a Monday."""

from collections.abc import Sequence

from tests.contract.exchange import Exchange, Step

_REFERENCE = "power-apps/developer/data-platform/webapi/reference/"
_HIERARCHY = "power-apps/developer/data-platform/query-hierarchical-data"
_CHOICES = "power-apps/developer/data-platform/multi-select-picklist"
_FILTER = "power-apps/developer/data-platform/webapi/query/filter-rows"

_DUE = {
    "A": "2025-06-15T12:00:00Z",
    "B": "2026-10-15T12:00:00Z",
    "C": "2026-11-18T12:00:00Z",
    "D": "2026-11-22T12:00:00Z",
    "E": "2026-11-23T08:00:00Z",
    "F": "2026-11-23T12:00:00Z",
    "G": "2026-11-24T12:00:00Z",
    "H": "2026-12-02T12:00:00Z",
    "I": "2026-12-20T12:00:00Z",
    "J": "2027-03-15T12:00:00Z",
    "K": None,
}
_TASKS = Step(
    "POST",
    "accounts",
    204,
    {
        "accountid": "{new1}",
        "name": "Owner of tasks",
        "Account_Tasks": [{"subject": letter, "scheduledend": due} for letter, due in _DUE.items()],
    },
)
_PAST = "scheduledend lt 2026-11-23T09:00:00Z"
_COMING = "scheduledend gt 2026-11-24T00:00:00Z"


def _calls(function: str, *values: str, column: str = "scheduledend") -> str:
    """The call of a query function on a column, with the parameters that take its values."""
    parameters = ",".join([f"PropertyName='{column}'", *values])
    return f"Microsoft.Dynamics.CRM.{function}({parameters})"


def _finds_tasks(name: str, function: str, subjects: str, *values: str, also: str = "") -> Exchange:
    """An exchange in which a function on the due date finds these tasks."""
    condition = _calls(function, *values) + (f" and {also}" if also else "")
    path = f"accounts({{new1}})/Account_Tasks?$select=subject&$orderby=subject&$filter={condition}"
    rows = [{"subject": subject} for subject in subjects]
    return Exchange(
        name, _REFERENCE + function.lower(), (_TASKS, Step("GET", path, 200, json={"value": rows}))
    )


_TREE = Step(
    "POST",
    "accounts",
    204,
    {
        "accountid": "{new1}",
        "name": "Tree top",
        "account_parent_account": [
            {
                "accountid": "{new2}",
                "name": "Tree branch",
                "account_parent_account": [{"accountid": "{new3}", "name": "Tree leaf"}],
            },
            {"accountid": "{new4}", "name": "Tree twig"},
        ],
    },
)


def _finds_in_tree(name: str, function: str, key: str, names: Sequence[str]) -> Exchange:
    """An exchange in which a function finds accounts by their place in a hierarchy."""
    condition = _calls(function, f"PropertyValue='{{{key}}}'", column="accountid")
    path = f"accounts?$select=name&$orderby=name&$filter={condition} and startswith(name,'Tree ')"
    rows = [{"name": f"Tree {part}"} for part in names]
    return Exchange(name, _HIERARCHY, (_TREE, Step("GET", path, 200, json={"value": rows})))


_PROJECTS = Step(
    "POST",
    "accounts",
    204,
    {
        "accountid": "{new1}",
        "name": "Owner of projects",
        "new_account_new_project": [
            {"new_name": "A", "new_tags": "1,9", "new_progress": 10, "new_rating": 1.5},
            {"new_name": "B", "new_tags": "2", "new_progress": 20, "new_rating": 2.5},
            {"new_name": "C", "new_tags": "1,2", "new_progress": 30, "new_rating": 3.5},
        ],
    },
)


def _finds_projects(name: str, condition: str, letters: str, source: str) -> Exchange:
    """An exchange in which a condition finds these projects."""
    path = (
        f"accounts({{new1}})/new_account_new_project?$select=new_name&$orderby=new_name&$filter={condition}"
    )
    rows = [{"new_name": letter} for letter in letters]
    return Exchange(name, source, (_PROJECTS, Step("GET", path, 200, json={"value": rows})))


def _finds_mine(name: str, function: str, column: str, rows: str) -> Exchange:
    """An exchange in which a function compares the owner of a caller's project with the caller."""
    return _finds_projects(name, _calls(function, column=column), rows, _REFERENCE + function.lower())


EXCHANGES = [
    _finds_tasks("Today finds moments of this day", "Today", "EF"),
    _finds_tasks("Tomorrow finds moments of the next day", "Tomorrow", "G"),
    _finds_tasks("Yesterday finds moments of the day before", "Yesterday", "D"),
    _finds_tasks("ThisWeek runs from Sunday to Saturday", "ThisWeek", "DEFG"),
    _finds_tasks("LastWeek finds the week before this one", "LastWeek", "C"),
    _finds_tasks("NextWeek finds the week after this one", "NextWeek", "H"),
    _finds_tasks("ThisMonth finds the month of today", "ThisMonth", "CDEFG"),
    _finds_tasks("LastMonth finds the month before", "LastMonth", "B"),
    _finds_tasks("NextMonth finds the month after", "NextMonth", "HI"),
    _finds_tasks("ThisYear finds the year of today", "ThisYear", "BCDEFGHI"),
    _finds_tasks("LastYear finds the year before", "LastYear", "A"),
    _finds_tasks("NextYear finds the year after", "NextYear", "J"),
    _finds_tasks("Last7Days finds the week up to now", "Last7Days", "CDE", also=_PAST),
    _finds_tasks("Next7Days finds the week to come", "Next7Days", "G", also=_COMING),
    _finds_tasks("LastXDays counts back in days", "LastXDays", "DE", "PropertyValue=3", also=_PAST),
    _finds_tasks("NextXDays counts on in days", "NextXDays", "GH", "PropertyValue=12", also=_COMING),
    _finds_tasks("LastXHours counts back in hours", "LastXHours", "E", "PropertyValue=3"),
    _finds_tasks("NextXHours counts on in hours", "NextXHours", "F", "PropertyValue=4"),
    _finds_tasks("LastXWeeks counts back in weeks", "LastXWeeks", "CDE", "PropertyValue=2", also=_PAST),
    _finds_tasks("NextXWeeks counts on in weeks", "NextXWeeks", "GH", "PropertyValue=2", also=_COMING),
    _finds_tasks("LastXMonths counts back in months", "LastXMonths", "BCDE", "PropertyValue=2", also=_PAST),
    _finds_tasks("NextXMonths counts on in months", "NextXMonths", "GHI", "PropertyValue=2", also=_COMING),
    _finds_tasks("LastXYears counts back in years", "LastXYears", "ABCDE", "PropertyValue=2", also=_PAST),
    _finds_tasks("NextXYears counts on in years", "NextXYears", "GHIJ", "PropertyValue=1", also=_COMING),
    _finds_tasks(
        "OlderThanXMinutes finds what is longer ago", "OlderThanXMinutes", "ABCDE", "PropertyValue=30"
    ),
    _finds_tasks("OlderThanXHours finds what is longer ago", "OlderThanXHours", "ABCD", "PropertyValue=5"),
    _finds_tasks("OlderThanXDays finds what is longer ago", "OlderThanXDays", "ABC", "PropertyValue=3"),
    _finds_tasks("OlderThanXWeeks finds what is longer ago", "OlderThanXWeeks", "AB", "PropertyValue=2"),
    _finds_tasks("OlderThanXMonths finds what is longer ago", "OlderThanXMonths", "A", "PropertyValue=6"),
    _finds_tasks("OlderThanXYears finds what is longer ago", "OlderThanXYears", "A", "PropertyValue=1"),
    _finds_tasks("On finds the moments of one day", "On", "C", "PropertyValue='2026-11-18'"),
    _finds_tasks("OnOrAfter includes the day itself", "OnOrAfter", "IJ", "PropertyValue='2026-12-20'"),
    _finds_tasks("OnOrBefore includes the day itself", "OnOrBefore", "AB", "PropertyValue='2026-10-15'"),
    _finds_tasks("InFiscalYear finds one fiscal year", "InFiscalYear", "J", "PropertyValue=2027"),
    _finds_tasks("ThisFiscalYear finds the fiscal year of today", "ThisFiscalYear", "BCDEFGHI"),
    _finds_tasks("LastFiscalYear finds the fiscal year before", "LastFiscalYear", "A"),
    _finds_tasks("NextFiscalYear finds the fiscal year after", "NextFiscalYear", "J"),
    _finds_tasks(
        "Between takes moments too",
        "Between",
        "CD",
        'PropertyValues=["2026-11-18T00:00:00Z","2026-11-22T23:00:00Z"]',
    ),
    _finds_tasks("a function is joined with other conditions", "Today", "E", also="subject eq 'E'"),
    _finds_in_tree("Above finds all ancestors of a row", "Above", "new3", ["branch", "top"]),
    _finds_in_tree("AboveOrEqual finds the row too", "AboveOrEqual", "new3", ["branch", "leaf", "top"]),
    _finds_in_tree("Under finds all descendants of a row", "Under", "new1", ["branch", "leaf", "twig"]),
    _finds_in_tree("UnderOrEqual finds the row too", "UnderOrEqual", "new2", ["branch", "leaf"]),
    _finds_in_tree("NotUnder leaves out what is below a row", "NotUnder", "new2", ["branch", "top", "twig"]),
    _finds_projects(
        "ContainValues finds rows that have the choice among others",
        _calls("ContainValues", "PropertyValues=['1']", column="new_tags"),
        "AC",
        _CHOICES,
    ),
    _finds_projects(
        "DoesNotContainValues leaves out rows that have the choice",
        _calls("DoesNotContainValues", "PropertyValues=['9']", column="new_tags"),
        "BC",
        _CHOICES,
    ),
    _finds_projects("all choices of a row are compared by eq", "new_tags eq '1,9'", "A", _CHOICES),
    _finds_projects(
        "In takes numbers as texts",
        _calls("In", "PropertyValues=['10','30']", column="new_progress"),
        "AC",
        _REFERENCE + "in",
    ),
    _finds_projects(
        "NotIn leaves out the values given",
        _calls("NotIn", "PropertyValues=['10','30']", column="new_progress"),
        "B",
        _REFERENCE + "notin",
    ),
    _finds_projects(
        "NotBetween leaves out a range",
        _calls("NotBetween", 'PropertyValues=["15","25"]', column="new_progress"),
        "AC",
        _REFERENCE + "notbetween",
    ),
    _finds_projects(
        "the ends of a range belong to it",
        _calls("Between", 'PropertyValues=["1.5","2.5"]', column="new_rating"),
        "AB",
        _REFERENCE + "between",
    ),
    _finds_projects(
        "parameters of a function may be aliases",
        'Microsoft.Dynamics.CRM.In(PropertyName=@p1,PropertyValues=@p2)&@p1=\'new_name\'&@p2=["A","b"]',
        "AB",
        _FILTER,
    ),
    _finds_mine("EqualUserId finds the caller's own rows", "EqualUserId", "ownerid", "ABC"),
    _finds_mine("NotEqualUserId leaves out the caller's own rows", "NotEqualUserId", "ownerid", ""),
    _finds_mine(
        "EqualUserOrUserTeams finds the caller's own rows too", "EqualUserOrUserTeams", "ownerid", "ABC"
    ),
    _finds_mine("EqualUserTeams leaves out the caller's own rows", "EqualUserTeams", "ownerid", ""),
    _finds_mine(
        "EqualBusinessId finds rows of the caller's unit", "EqualBusinessId", "owningbusinessunit", "ABC"
    ),
    _finds_mine("NotEqualBusinessId leaves them out", "NotEqualBusinessId", "owningbusinessunit", ""),
    Exchange(
        "an apostrophe in a list of values needs double quotes",
        _FILTER,
        (
            Step("POST", "contacts", 204, {"contactid": "{new1}", "lastname": "O'Test"}),
            Step(
                "GET",
                "contacts?$select=lastname&$filter=contactid eq {new1} and "
                "Microsoft.Dynamics.CRM.In(PropertyName=@p1,PropertyValues=@p2)&@p1='lastname'&@p2=[\"O'Test\"]",
                200,
                json={"value": [{"lastname": "O'Test"}]},
            ),
        ),
    ),
]
