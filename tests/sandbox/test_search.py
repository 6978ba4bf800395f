"""Dataverse search: what is found, in which form, and what is refused."""

import json

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_sandbox.opening import open_store
from crm_sandbox.queries.search import SearchIndex
from crm_sandbox.queries.sql import Asker
from crm_sandbox.trouble import Limits, Trouble
from tests.sandbox.conftest import NOW, error
from tests.sandbox.refusals import status_of
from tests.sandbox.test_rights import OBJECT_ID, user

API = "https://sandbox.invalid/api/search/v2.0/"
NAMES = ["Zyron Works", "Zyron Marine Works", "Blue Zyron Cafe", "Zygmark & Ronan", "Works of Ronan"]


@pytest.fixture
async def birds(crm):
    """Accounts that have a word in common."""
    for number, name in enumerate(NAMES):
        await crm.new("accounts", name=name, numberofemployees=number, address1_city="Ålesund")
    return crm


async def query(crm, search, **parameters):
    """The answer of ``query``, with the string inside taken apart."""
    parameters = {
        name: json.dumps(value) if name in ("entities", "options", "orderby") else value
        for name, value in parameters.items()
    }
    answer = await crm("POST", f"{API}query", {"search": search, **parameters})
    assert answer.status_code == 200, answer.text
    return json.loads(answer.json()["response"])


async def found(crm, search, **parameters):
    """The names of what is found among accounts, sorted."""
    parameters.setdefault("entities", [{"name": "account", "selectColumns": ["name"]}])
    answer = await query(crm, search, **parameters)
    return sorted(item["Attributes"]["name"] for item in answer["Value"])


async def test_an_answer_holds_its_results_as_json_in_a_string(birds):
    answer = await query(birds, "marine", count=True)
    (item,) = answer["Value"]
    assert (item["EntityName"], answer["Count"], answer["Error"]) == ("account", 1, None)
    assert item["Attributes"]["name"] == "Zyron Marine Works"
    assert item["Attributes"]["@search.objecttypecode"] == 1
    assert item["Highlights"]["name"] == ["Zyron {crmhit}Marine{/crmhit} Works"]
    assert item["Score"] > 0
    row = (await birds("GET", f"accounts({item['Id']})?$select=name")).json()
    assert row["name"] == "Zyron Marine Works"


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ("zyron marine", ["Blue Zyron Cafe", "Zyron Marine Works", "Zyron Works"]),
        ("ZYRON+works", ["Zyron Marine Works", "Zyron Works"]),
        ("ronan|cafe", ["Blue Zyron Cafe", "Works of Ronan", "Zygmark & Ronan"]),
        ("works+-zyron", ["Works of Ronan"]),
        ('"zyron works"', ["Zyron Works"]),
        ("zy*+-zyron", ["Zygmark & Ronan"]),
        ("nothingofthekind", []),
    ],
)
async def test_the_simple_syntax(birds, search, expected):
    assert await found(birds, search) == expected


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ("zyron AND works", ["Zyron Marine Works", "Zyron Works"]),
        ("works AND NOT zyron", ["Works of Ronan"]),
        ("(cafe OR ronan) AND NOT works", ["Blue Zyron Cafe", "Zygmark & Ronan"]),
        ("zyrron~1", ["Blue Zyron Cafe", "Zyron Marine Works", "Zyron Works"]),
        ("/zy[rg].*/ AND cafe", ["Blue Zyron Cafe"]),
        ("zy?on AND blue", ["Blue Zyron Cafe"]),
    ],
)
async def test_the_lucene_syntax(birds, search, expected):
    answer = await birds(
        "POST",
        f"{API}query",
        {
            "search": search,
            "options": "{'querytype': 'lucene'}",
            "entities": json.dumps([{"name": "account", "selectColumns": ["name"]}]),
        },
    )
    items = json.loads(answer.json()["response"])["Value"]
    assert sorted(item["Attributes"]["name"] for item in items) == expected


async def test_every_word_is_wanted_in_search_mode_all(birds):
    options = {"searchmode": "all"}
    assert await found(birds, "zyron works", options=options) == ["Zyron Marine Works", "Zyron Works"]


async def test_accents_and_case_do_not_count(birds):
    entity = {"name": "account", "selectColumns": ["name"], "searchColumns": ["address1_city"]}
    assert await found(birds, "alesund", entities=[entity], top=100) == sorted(NAMES)


async def test_results_are_filtered_sorted_and_paged(birds):
    entity = {"name": "account", "selectColumns": ["name"], "filter": "numberofemployees ge 1"}
    assert await found(birds, "zyron", entities=[entity]) == ["Blue Zyron Cafe", "Zyron Marine Works"]
    assert await found(birds, "zyron", filter="numberofemployees lt 1") == ["Zyron Works"]
    only = {"entities": [{"name": "account"}], "filter": "statecode eq 0", "count": True}
    pages = [await query(birds, "zyron", top=2, skip=skip, orderby=["name desc"], **only) for skip in (0, 2)]
    names = [item["Attributes"]["name"] for page in pages for item in page["Value"]]
    assert names == ["Zyron Works", "Zyron Marine Works", "Blue Zyron Cafe"]
    assert [page["Count"] for page in pages] == [3, 3]


async def test_a_change_and_a_deletion_are_found_at_once(birds):
    (row,) = (await query(birds, "marine"))["Value"]
    await birds("PATCH", f"accounts({row['Id']})", {"name": "Zyron Aviation"})
    assert await found(birds, "marine") == []
    assert await found(birds, "aviation") == ["Zyron Aviation"]
    await birds("DELETE", f"accounts({row['Id']})")
    assert await found(birds, "aviation") == []
    await birds.new("accounts", name="Aviation again")
    assert await found(birds, "aviation") == ["Aviation again"]


async def test_several_tables_are_searched_when_none_is_named(birds):
    await birds.new("contacts", firstname="Zyron", lastname="Quillfeather")
    await birds.new("leads", lastname="Quillfeather", companyname="Zyron Works")
    await birds.new("annotations", subject="Quillfeather called")
    answer = await query(birds, "quillfeather")
    assert {item["EntityName"] for item in answer["Value"]} == {"contact", "lead", "annotation"}


async def test_suggestions_begin_like_the_text(birds):
    answer = await birds("POST", f"{API}suggest", {"search": "zyron m"})
    (item,) = json.loads(answer.json()["response"])["Value"]
    assert item["Text"] == "Zyron {crmhit}M{/crmhit}arine Works"
    assert item["Document"]["@search.entityname"] == "account"
    vague = await birds("POST", f"{API}suggest", {"search": "zyran mar", "fuzzy": True})
    assert "Marine" in json.loads(vague.json()["response"])["Value"][0]["Document"]["name"]


async def test_a_word_is_completed(birds):
    body = {"search": "blue zyr", "entities": json.dumps([{"name": "account"}])}
    answer = await birds("POST", f"{API}autocomplete", body)
    assert json.loads(answer.json()["response"])["Value"] == "{crmhit}blue zyron{/crmhit}"


async def test_statistics_and_status_tell_of_the_index(birds):
    statistics = json.loads((await birds("GET", f"{API}statistics")).json()["response"])["value"]
    assert statistics["documentcount"] > 1_000
    assert statistics["storagesizeinbytes"] > 10_000
    status = json.loads((await birds("GET", f"{API}status")).json()["response"])["value"]
    assert status["status"] == "provisioned"
    assert "account" in {item["entitylogicalname"] for item in status["entitystatusresults"]}


async def test_what_the_caller_may_not_read_is_not_found(birds):
    await user(birds)
    headers = {"CallerObjectId": OBJECT_ID}
    answer = await birds("POST", f"{API}query", {"search": "zyron"}, **headers)
    assert json.loads(answer.json()["response"])["Value"] == []


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, (400, "0x80048d19")),
        ({"search": 5}, (400, "0x80048d19")),
        ({"search": "  "}, (400, "0x80060888")),
        ({"search": "x" * 101}, (400, "0x80060888")),
        ({"search": "x", "top": 101}, (400, "0x80060888")),
        ({"search": "x", "top": "5"}, (400, "0x80048d19")),
        ({"search": "x", "skip": -1}, (400, "0x80060888")),
        ({"search": "x", "count": "yes"}, (400, "0x80048d19")),
        ({"search": "x", "nothing": 1}, (400, "0x80048d19")),
        ({"search": "x", "entities": "["}, (400, "0x80048d19")),
        ({"search": "x", "entities": '[{"name":"nothing"}]'}, (400, "0x80060888")),
        (
            {"search": "x", "entities": '[{"name":"account","selectColumns":["nothing"]}]'},
            (400, "0x80060888"),
        ),
        (
            {"search": "x", "entities": '[{"name":"account","searchColumns":["revenue"]}]'},
            (400, "0x80060888"),
        ),
        ({"search": "x", "filter": "nothing eq 1"}, (400, "0x80060888")),
        ({"search": "x", "orderby": '["name; drop table account"]'}, (400, "0x80048d19")),
        ({"search": "x", "options": "['lucene']"}, (400, "0x80048d19")),
        ({"search": "x", "facets": '["ownerid"]'}, (501, "0x80048d08")),
    ],
)
async def test_a_malformed_request_is_refused(crm, body, expected):
    assert error(await crm("POST", f"{API}query", body)) == expected


async def test_other_addresses_and_methods_are_refused(crm):
    assert (await crm("GET", f"{API}query")).status_code == 405
    assert (await crm("POST", f"{API}status", {})).status_code == 405
    assert (await crm("POST", f"{API}nothing", {})).status_code == 404
    assert (await crm("POST", "https://sandbox.invalid/api/search/v1.0/query", {})).status_code == 404


async def test_a_user_searches_once_a_second_where_limits_are_kept(crm):
    app = Trouble(crm.app, limits=Limits(), now=lambda: NOW)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app)) as client:
        first, second = [await client.post(f"{API}query", json={"search": "x"}) for _ in range(2)]
        data = await client.get("https://sandbox.invalid/api/data/v9.2/WhoAmI")
    assert (first.status_code, second.status_code, data.status_code) == (200, 429, 200)
    assert second.headers["Retry-After"] == "1"


STORE = open_store(seed=1, now=lambda: NOW, accounts=20, path=None, tables=())


@settings(derandomize=True, max_examples=150)
@given(
    st.text(max_size=60) | st.text(st.sampled_from("zyron \"*+-|()~^:?/[]{}\\'AND OR NOT"), max_size=60),
    st.booleans(),
)
def test_whatever_is_searched_for_is_answered_or_refused(search, lucene):
    body = {"search": search, "options": json.dumps({"querytype": "lucene" if lucene else "simple"})}
    asker = Asker(NOW, "", "", ())

    def found():
        answer = SearchIndex(STORE).query(body, asker, lambda table: True)
        assert isinstance(json.loads(answer["response"])["Value"], list)

    assert status_of(found) in {200, 400}
