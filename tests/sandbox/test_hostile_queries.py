"""Queries that nobody means well are refused with a documented error, and nothing of them becomes SQL."""

import base64
import json
import re
import sqlite3
from urllib.parse import quote, quote_from_bytes

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_sandbox.app import SandboxApp
from crm_sandbox.opening import open_store
from crm_sandbox.queries import work
from crm_sandbox.queries.search import SearchIndex
from tests.sandbox.conftest import NOW

EXAMPLES = settings(derandomize=True, database=None, deadline=None)
STORE = open_store(seed=1, now=lambda: NOW, accounts=20, path=None, tables=())
SearchIndex(STORE).build()
APP = SandboxApp(STORE)
KEY = STORE.rows("SELECT accountid FROM account LIMIT 1")[0]["accountid"]
API, SEARCH = b"/api/data/v9.2/", b"/api/search/v2.0/query"
READS = {
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_FUNCTION,
    sqlite3.SQLITE_TRANSACTION,
    sqlite3.SQLITE_SAVEPOINT,
}
CODE = re.compile(r"0x8[0-9a-f]{7}")


def is_read(action, name):
    # The full-text index asks whether something changed.
    return action in READS or (action, name) == (sqlite3.SQLITE_PRAGMA, "data_version")


class Recorder:
    """A connection that keeps the text of each statement."""

    def __init__(self, connection):
        self._connection = connection
        self.statements = []

    def __getattr__(self, name):
        return getattr(self._connection, name)

    def execute(self, sql, *values):
        self.statements.append(sql)
        return self._connection.execute(sql, *values)


@pytest.fixture(autouse=True, scope="module")
def only_reads():
    """Let SQLite refuse every statement that is no read, which then ends a test with its error."""
    STORE.connection.set_authorizer(
        lambda action, name, *_: sqlite3.SQLITE_OK if is_read(action, name) else sqlite3.SQLITE_DENY
    )
    yield
    STORE.close()


def send(path, query=b"", body=None, headers=()):
    """Status and JSON of the answer to a request whose address is sent byte by byte as it is."""
    sent = []
    content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()

    async def receive():
        return {"type": "http.request", "body": content}

    async def keep(message):
        sent.append(message)

    raw = path if path.startswith(b"/") else API + path
    scope = {"type": "http", "method": "GET" if body is None else "POST", "scheme": "http", "raw_path": raw}
    scope |= {"path": raw.decode("latin-1"), "query_string": query}
    scope["headers"] = [(b"host", b"sandbox.invalid"), *headers]
    anyio.run(lambda: APP(scope, receive, keep))
    start, *parts = sent
    return start["status"], b"".join(part["body"] for part in parts)


def checked(path, query=b"", body=None):
    """The status of an answer, which must be a success or a documented error and change nothing."""
    before = state()
    status, content = send(path, query, body)
    if status >= 400:
        assert status in (400, 404, 414, 501), (path, query, status, content)
        problem = json.loads(content)["error"]
        assert set(problem) == {"code", "message"}
        assert CODE.fullmatch(problem["code"])
        assert problem["message"]
    else:
        assert status in (200, 204)
        content.decode("utf-8")
    assert state() == before
    return status


def state():
    """What no read changes: how much was ever written, and how often a table was changed."""
    ((version,),) = STORE.connection.execute("SELECT value FROM sandbox_state WHERE name = 'version'")
    return STORE.connection.total_changes, version


def options(**values):
    """Query options as they are sent; the names of all but two begin with a dollar sign."""
    named = {name if name in ("sql", "fetchXml") else f"${name}": text for name, text in values.items()}
    return "&".join(f"{name}={quote(text)}" for name, text in named.items()).encode()


def fetch(inner):
    return f"<fetch><entity name='account'><attribute name='name'/>{inner}</entity></fetch>"


def skiptoken(keys):
    """What leads behind the row with these sort keys."""
    cookie = base64.urlsafe_b64encode(json.dumps(keys).encode()).decode()
    return quote(f'<cookie pagenumber="2" pagingcookie="{cookie}" istracking="False" />', safe="")


QUERIES = [
    {"filter": "name eq 'O''Brien' and (revenue gt 1000.5 or not contains(name,'a%_[b]'))"},
    {"filter": "primarycontactid/fullname ne null and createdon ge 2026-01-01T00:00:00Z"},
    {"filter": f"accountid eq {KEY} or accountid in ({KEY},{KEY})", "select": "name,revenue"},
    {"filter": "Microsoft.Dynamics.CRM.In(PropertyName='name',PropertyValues=[\"a\",'b',\"\\u0041\"])"},
    {"filter": "Microsoft.Dynamics.CRM.LastXDays(PropertyName='createdon',PropertyValue=7)"},
    {"filter": "contact_customer_accounts/any(c:c/lastname eq 'x' and c/owninguser/fullname ne 'y')"},
    {"orderby": "name desc,primarycontactid/fullname asc,statecode", "top": "3", "count": "true"},
    {"expand": "primarycontactid($select=fullname),contact_customer_accounts($filter=fax eq 'x';$top=2)"},
    {"expand": "ownerid,parentaccountid($expand=primarycontactid($select=fullname))", "select": "*"},
    {"apply": "filter(statecode eq 0)/groupby((statuscode,parentaccountid/name),aggregate($count as n))"},
    {"apply": "aggregate(revenue with sum as total,createdon with max as last)"},
    {
        "fetchXml": fetch(
            "<filter type='or'><condition attribute='name' operator='like' value='a%'/></filter>"
        )
    },
    {"fetchXml": fetch("<link-entity name='contact' from='contactid' to='primarycontactid' alias='c'/>")},
    {
        "fetchXml": fetch(
            "<filter><condition attribute='createdon' operator='last-x-days' value='5'/></filter>"
        )
    },
    {"sql": "SELECT TOP 5 c.fullname AS n FROM account a JOIN contact c ON a.primarycontactid = c.contactid"},
    {"sql": "SELECT name FROM account WHERE name LIKE '[a-c]%' AND revenue BETWEEN 1 AND -2.5"},
    {
        "sql": "SELECT statecode, COUNT(*) AS n FROM account "
        "WHERE createdon > DATEADD(day, -3, GETUTCDATE()) GROUP BY statecode"
    },
    {"orderby": "name", "skiptoken": skiptoken(["a", KEY])},
]
KEYS = [KEY, f"accountid={KEY}", "name='x'", "accountnumber='A-1',name='x'", "@p", "''", "0"]
BELOW = ["", "/name", "/primarycontactid/fullname", "/contact_customer_accounts", "/name/$value", "/$ref"]

PIECES = st.one_of(
    st.sampled_from(["'", "''", '"', "(", ")", ",", ";", "/", "--", "/*", "*/", "\\", "%", "_", "[", "]"]),
    st.sampled_from(
        ["\x00", "\x01", "\n", "\r\n", "\ufeff", "\u202e", "\uffff", "\U0001f600", "e\u0301", "\u0663"]
    ),
    st.sampled_from([" and ", " or ", "not ", " eq ", "null", "' OR 1=1 --", "'); DROP TABLE account; --"]),
    st.sampled_from(["9" * 19, "9" * 400, "-9223372036854775809", "1e999", "-0.0", "2026-02-30", "x" * 300]),
    st.sampled_from(["<", ">", "&", "&amp;", "&#0;", "&#xD800;", "<!DOCTYPE a>", "]]>", "<value/>", "<!--"]),
    st.sampled_from(
        ["$filter=", "$select=*", "@p", "any(a:", "all(b:", "contains(", "NULL", "SELECT ", "UNION "]
    ),
    st.text(max_size=4),
)
EDITS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 6), PIECES | st.just("")), max_size=4)
SPOILS = st.sampled_from(
    [b"%", b"%f", b"%ff", b"%ED%A0%80", b"%00", b"%C0%AF", b"&", b"&&", b"=", b"+", b"\xff", b"#"]
)


def edited(text, edits):
    """The text with parts of it replaced: each edit says where, how many characters, and by what."""
    for place, length, piece in edits:
        at = round(place * len(text))
        text = text[:at] + piece + text[at + length :]
    return text.encode("utf-8", "ignore").decode()


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: " ".join(query))
def test_the_queries_that_are_meddled_with_are_answered_as_they_are(query):
    assert checked(b"accounts", options(**query)) == 200


@settings(EXAMPLES, max_examples=600)
@given(st.sampled_from(QUERIES), st.sampled_from(QUERIES), EDITS, EDITS, st.booleans())
def test_a_query_that_was_meddled_with_is_answered_or_refused(query, other, edits, more, both):
    sent = {name: edited(text, edits) for name, text in query.items()}
    if both:
        sent = {name: edited(text, more) for name, text in other.items()} | sent
    checked(b"accounts", options(**sent))


@settings(EXAMPLES, max_examples=200)
@given(st.sampled_from(QUERIES), st.sampled_from(QUERIES), st.floats(0, 1), st.floats(0, 1))
def test_half_of_one_query_and_half_of_another_are_answered_or_refused(query, other, first, second):
    (name, text), (_, rest) = next(iter(query.items())), next(iter(other.items()))
    spliced = text[: round(first * len(text))] + rest[round(second * len(rest)) :]
    checked(b"accounts", options(**{name: spliced}))


@settings(EXAMPLES, max_examples=300)
@given(st.sampled_from(KEYS), st.sampled_from(BELOW), EDITS, EDITS)
def test_a_key_that_was_meddled_with_is_found_or_refused(key, below, edits, more):
    path = f"accounts({edited(key, edits)}){edited(below, more)}"
    checked(quote(path, safe="/()").encode(), b"@p=" + quote(edited("'x'", edits)).encode())


@settings(EXAMPLES, max_examples=200)
@given(st.sampled_from(QUERIES), st.lists(st.tuples(st.floats(0, 1), SPOILS), min_size=1, max_size=3))
def test_an_address_with_broken_escapes_is_answered_or_refused(query, spoils):
    sent = options(**query)
    for place, spoil in spoils:
        at = round(place * len(sent))
        sent = sent[:at] + spoil + sent[at:]
    checked(b"accounts", sent)


SEARCHES = [
    {"search": '"contoso ltd" OR -a*', "options": "{'querytype':'lucene','searchmode':'all'}"},
    {"search": "/con.*/ ~1 ^2", "entities": '[{"name":"account","filter":"revenue gt 5"}]', "count": True},
    {"search": "a", "filter": "createdon ge 2026-01-01", "orderby": '["createdon desc"]', "top": 5},
]


@settings(EXAMPLES, max_examples=300)
@given(st.sampled_from(SEARCHES), EDITS)
def test_a_search_that_was_meddled_with_is_answered_or_refused(search, edits):
    body = {name: edited(value, edits) if isinstance(value, str) else value for name, value in search.items()}
    checked(SEARCH, body=body)


MARK = "zqxj"
TEXTS = [
    f"{MARK}'; DROP TABLE account; --",
    f'{MARK}"); DELETE FROM account',
    f"{MARK}' OR 1=1 --",
    f"{MARK}\\'",
    f"{MARK}\x00rest",
    f"%_[{MARK}",
    f"\ufeff{MARK}\u202e",
    f"{MARK}\U0001f600e\u0301",
]
IN_QUERIES = [
    lambda text: {"filter": f"name eq '{text}' or contains(name,'{text}')"},
    lambda text: {"filter": f"name in ('{text}','{text}')", "orderby": "name"},
    lambda text: {"filter": f"Microsoft.Dynamics.CRM.NotIn(PropertyName='name',PropertyValues=['{text}'])"},
    lambda text: {"filter": f"contact_customer_accounts/any(c:c/lastname eq '{text}')"},
    lambda text: {"expand": f"contact_customer_accounts($filter=lastname eq '{text}')"},
    lambda text: {"apply": f"filter(name eq '{text}')/aggregate($count as n)"},
    lambda text: {"sql": f"SELECT name FROM account WHERE name = '{text}' OR name LIKE '{text}'"},
]


@pytest.fixture
def statements(monkeypatch):
    recorder = Recorder(STORE.connection)
    monkeypatch.setattr(STORE, "connection", recorder)
    return recorder.statements


@pytest.mark.parametrize("text", TEXTS)
def test_no_text_of_a_query_becomes_sql(statements, text):
    doubled = text.replace("'", "''")
    for query in IN_QUERIES:
        assert checked(b"accounts", options(**query(doubled))) == 200
    value = f"<condition attribute='name' operator='in'><value><![CDATA[{text}]]></value></condition>"
    # XML has no NUL.
    expected = 400 if "\x00" in text else 200
    assert checked(b"accounts", options(fetchXml=fetch(f"<filter>{value}</filter>"))) == expected
    assert checked(f"accounts(name='{quote(doubled, safe='')}')".encode()) == 400
    assert checked(b"accounts", options(filter=f"{MARK} eq 1", select=MARK)) == 400
    assert checked(b"accounts", options(orderby=MARK)) == 400
    assert checked(b"accounts", options(apply=f"aggregate($count as {MARK})")) == 200
    assert checked(b"accounts", options(sql=f"SELECT name AS {MARK} FROM account AS {MARK}")) == 200
    assert checked(SEARCH, body={"search": text}) == 200
    assert statements
    assert not [sql for sql in statements if MARK in sql]


@pytest.mark.parametrize("keys", [["\ud800", KEY], ["\x00", KEY], [{}, KEY], [2**80, KEY], ["x"], "x", None])
def test_a_paging_cookie_of_other_hands_is_answered_or_refused(keys):
    status = checked(b"accounts", options(orderby="name", skiptoken=skiptoken(keys)))
    assert status == (200 if keys == ["\x00", KEY] else 400)


def alternating(depth, both, either, leaf):
    """A condition in which and stands in or, which stands in and, and so on."""
    for level in range(depth):
        leaf = (both if level % 2 else either)(leaf)
    return leaf


def odata(depth):
    def joined(word):
        return lambda inner: f"(revenue eq 1 {word} {inner})"

    return alternating(depth, joined("and"), joined("or"), "name eq 'x'")


def xml(depth):
    def joined(kind):
        condition = "<condition attribute='revenue' operator='null'/>"
        return lambda inner: f"<filter type='{kind}'>{condition}{inner}</filter>"

    return fetch(alternating(depth, joined("and"), joined("or"), ""))


@pytest.mark.parametrize(
    "query",
    [
        {"filter": odata(48)},
        {"apply": f"filter({odata(45)})/aggregate($count as n)"},
        {"fetchXml": xml(37)},
        {"filter": "parentaccountid/" * 70 + "name eq 'x'"},
        {"orderby": ",".join(["name"] * 2_500)},
        {"filter": "revenue gt 1e999"},
        {"filter": "revenue gt " + "9" * 5_000},
        {"filter": "revenue gt \u0663"},
        {"sql": "SELECT name FROM account WHERE revenue > " + "9" * 5_000},
    ],
    ids=lambda query: " ".join(query),
)
def test_a_query_that_is_too_complex_or_too_large_is_refused(query):
    assert checked(b"accounts", options(**query)) == 400


def test_a_search_whose_filter_is_too_complex_is_refused():
    entities = json.dumps([{"name": "account", "filter": odata(45)}])
    assert checked(SEARCH, body={"search": "a", "entities": entities}) == 400


def test_lambdas_that_multiply_rows_without_end_are_stopped(monkeypatch):
    monkeypatch.setattr(work, "MOST_STEPS", 500_000)
    path = "parentcustomerid_account/contact_customer_accounts"
    inner = "".join(f"a{level}/{path}/any(a{level + 1}:" for level in range(7))
    condition = f"contact_customer_accounts/any(a0:{inner}a7/lastname eq 'none such'" + ")" * 8
    for asked, query in (
        (b"accounts", {"filter": condition}),
        (b"accounts/$count", {"filter": condition}),
        (b"accounts", {"apply": f"filter({condition})/aggregate($count as n)"}),
    ):
        status, content = send(asked, options(**query))
        assert (status, json.loads(content)["error"]["code"]) == (400, "0x80044151")
    assert checked(b"accounts", options(filter="name eq 'x'")) == 200


@pytest.mark.parametrize(
    "header", [b"a" * 60_000 + b"!", b" " * 60_000 + b"!", b',a="' * 15_000, b'\xff\x00,;="']
)
def test_a_prefer_header_without_sense_is_passed_over(header):
    status, _ = send(b"accounts", options(top="1"), headers=[(b"prefer", header)])
    assert status == 200


def test_bytes_that_are_no_text_are_refused_in_each_part_of_an_address():
    spoiled = quote_from_bytes(b"\xed\xa0\x80")
    for path, query in (
        (f"accounts(name='{spoiled}')", ""),
        ("accounts", f"$filter=name eq '{spoiled}'"),
        ("accounts", f"fetchXml=<fetch>{spoiled}</fetch>"),
        ("accounts", f"sql=SELECT {spoiled}"),
        ("accounts", f"{spoiled}=1"),
    ):
        assert checked(path.encode(), query.encode()) == 400
