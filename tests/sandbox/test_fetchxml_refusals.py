"""FetchXML that cannot be read, names what does not exist, or means harm."""

from __future__ import annotations

import json
import random
from collections import Counter
from xml.sax.saxutils import quoteattr

import pytest

from crm_sandbox.errors import ODataError
from crm_sandbox.queries import work
from crm_sandbox.queries.fetchxml import run
from tests.sandbox.fetches import ACCOUNT, AGGREGATE, PAGED, code_of, compiled, guid, open_store, rows


@pytest.fixture(scope="module")
def store():
    store = open_store()
    yield store
    store.close()


# Refusals


@pytest.mark.parametrize(
    ("xml", "code"),
    [
        ("", "0x80041124"),
        ("  ", "0x80041124"),
        ("<fetch", "0x80040203"),
        ("<fetch/>", "0x80041123"),
        ("<fetch><entity name='account'/><entity name='account'/></fetch>", "0x80041123"),
        ("<entity name='account'/>", "0x8004111c"),
        ("<fetch xmlns='urn:x'><entity name='account'/></fetch>", "0x8004111c"),
        ("<fetch>text<entity name='account'/></fetch>", "0x8004111c"),
        ("<fetch><entity name='account'/>text</fetch>", "0x8004111c"),
        ("<fetch><entity/></fetch>", "0x8004111e"),
        ("<fetch><entity name='acount'/></fetch>", "0x80041102"),
        ("<fetch><entity name='Account'/></fetch>", "0x80041102"),
        ("<fetch top='0'><entity name='account'/></fetch>", "0x80041127"),
        ("<fetch top='5001'><entity name='account'/></fetch>", "0x80040203"),
        ("<fetch top='5' page='1'><entity name='account'/></fetch>", "0x80040203"),
        ("<fetch top='5' count='1'><entity name='account'/></fetch>", "0x80040203"),
        ("<fetch top='5' returntotalrecordcount='1'><entity name='account'/></fetch>", "0x80040203"),
        ("<fetch count='-1'><entity name='account'/></fetch>", "0x8004110c"),
        ("<fetch page='0'><entity name='account'/></fetch>", "0x8004110c"),
        ("<fetch page='99999999999999999999'><entity name='account'/></fetch>", "0x8004110c"),
        ("<fetch page='11'><entity name='account'/></fetch>", "0x80040203"),
        ("<fetch distinct='maybe'><entity name='account'/></fetch>", "0x80041115"),
        ("<fetch aggregate='maybe'><entity name='account'/></fetch>", "0x80040203"),
        ("<fetch datasource='retained'><entity name='account'/></fetch>", "0x80040203"),
        ("<fetch paging-cookie='x'><entity name='account'/></fetch>", "0x80040203"),
        ("<fetch distinct='1'><entity name='account'><no-attrs/></entity></fetch>", "0x80040203"),
    ],
)
def test_a_fetch_element_that_cannot_be_read_is_refused(store, xml, code):
    assert code_of(store, xml) == code


@pytest.mark.parametrize(
    ("inner", "code"),
    [
        ("<attribute/>", "0x8004111e"),
        ("<attribute name='nope'/>", "0x80041103"),
        ("<attribute name='Name'/>", "0x80041103"),
        ("<attribute name='ownerid.table'/>", "0x80041103"),
        ("<attribute name='name' alias='a b'/>", "0x80041109"),
        ("<attribute name='name' alias='x'/><attribute name='revenue' alias='x'/>", "0x80041109"),
        ("<attribute name='name' aggregate='count' alias='n'/>", "0x8004111a"),
        ("<attribute name='accountid' rowaggregate='CountChildren'/>", "0x8004110b"),
        ("<attribute name='name' rowaggregate='CountChildren' alias='n'/>", "0x80040203"),
        ("<order/>", "0x8004111e"),
        ("<order attribute='nope'/>", "0x80041103"),
        ("<order attribute='name' descending='down'/>", "0x80041119"),
        ("<order attribute='name' entityname='x'/>", "0x8004110a"),
        ("<select/>", "0x8004111c"),
        ("<condition attribute='name' operator='null'/>", "0x8004111c"),
        ("<filter type='xor'/>", "0x80041122"),
        ("<filter><attribute name='name'/></filter>", "0x8004111c"),
        ("<filter><condition operator='null'/></filter>", "0x8004111e"),
        ("<filter><condition attribute='name'/></filter>", "0x8004111e"),
        ("<filter><condition attribute='nope' operator='null'/></filter>", "0x80041103"),
        ("<filter><condition attribute='name' operator='equals' value='x'/></filter>", "0x80041120"),
        ("<filter><condition attribute='name' operator='eq'/></filter>", "0x80041106"),
        ("<filter><condition attribute='name' operator='null' entityname='x'/></filter>", "0x8004110a"),
        ("<filter><condition attribute='name' operator='like' valueof='fax'/></filter>", "0x80040203"),
        ("<filter><condition attribute='name' operator='eq' valueof='revenue'/></filter>", "0x80040203"),
        ("<filter><condition attribute='name' operator='eq' valueof='x.name'/></filter>", "0x8004110a"),
        (
            "<filter><condition attribute='name' operator='eq'><value><value/></value></condition></filter>",
            "0x8004111c",
        ),
        ("<link-entity from='contactid' to='primarycontactid'/>", "0x8004111e"),
        ("<link-entity name='contact' to='primarycontactid'/>", "0x80041118"),
        ("<link-entity name='contact' from='contactid' to='nope'/>", "0x80041103"),
        ("<link-entity name='contact' from='nope' to='primarycontactid'/>", "0x80041103"),
        ("<link-entity name='x' from='contactid' to='primarycontactid'/>", "0x80041102"),
        (
            "<link-entity name='contact' from='contactid' to='primarycontactid' link-type='cross'/>",
            "0x80041117",
        ),
        (
            "<link-entity name='contact' from='contactid' to='primarycontactid' link-type='any'/>",
            "0x80041117",
        ),
        (
            "<filter><link-entity name='contact' from='contactid' to='primarycontactid'/></filter>",
            "0x80041117",
        ),
        ("<link-entity name='contact' from='contactid' to='primarycontactid' alias='1'/>", "0x80041109"),
        (
            (
                "<link-entity name='contact' from='contactid' to='primarycontactid' "
                "link-type='exists'><attribute name='fullname'/></link-entity>"
            ),
            "0x80040203",
        ),
    ],
)
def test_an_element_that_cannot_be_read_is_refused(store, inner, code):
    assert code_of(store, ACCOUNT.format(inner)) == code


@pytest.mark.parametrize(
    ("inner", "code"),
    [
        ("", "0x80041107"),
        ("<all-attributes/>", "0x80041107"),
        ("<attribute name='name' alias='n'/>", "0x80041107"),
        ("<attribute name='name' aggregate='count'/>", "0x8004110b"),
        ("<attribute name='name' aggregate='median' alias='n'/>", "0x8004111a"),
        ("<attribute name='name' aggregate='sum' alias='n'/>", "0x80040203"),
        ("<attribute name='statecode' aggregate='max' alias='n'/>", "0x80040203"),
        ("<attribute name='name' groupby='true' dategrouping='day' alias='n'/>", "0x80040203"),
        ("<attribute name='createdon' groupby='true' dategrouping='century' alias='n'/>", "0x80040203"),
        ("<attribute name='name' aggregate='count' alias='n'/><order attribute='name'/>", "0x8004110a"),
    ],
)
def test_an_aggregate_that_cannot_be_read_is_refused(store, inner, code):
    assert code_of(store, AGGREGATE.format("", inner)) == code


@pytest.mark.parametrize(
    "cookie",
    [
        "x",
        "<cookie/>",
        "<cookie page='x'/>",
        "<cookie page='1'/>",
        "<cookie page='1'><accountid last='x'/></cookie>",
        "<cookie page='1'><accountid last='x'/><name last='x'/></cookie>",
        "<cookie page='1'><name first='x'/><accountid last='x'/></cookie>",
        "<!DOCTYPE cookie><cookie page='1'><name last='x'/><accountid last='x'/></cookie>",
    ],
)
def test_a_cookie_of_another_query_is_refused(store, cookie):
    xml = PAGED.format(2, f" paging-cookie={quoteattr(cookie)}", "<order attribute='name'/>")
    assert code_of(store, xml) == "0x80040203"


def test_unknown_attributes_of_elements_are_passed_over(store):
    xml = (
        "<fetch version='1.0' mapping='logical' no-lock='x' latematerialize='1' zzz='1'>"
        "<entity name='account' zzz='1'><filter hint='union' isquickfindfields='1'/></entity></fetch>"
    )
    assert len(rows(store, xml)) == 5


def test_links_and_conditions_are_limited_as_documented(store):
    link = (
        "<link-entity name='contact' from='contactid' to='primarycontactid' link-type='outer' "
        "alias='l{}'><all-attributes/></link-entity>"
    )
    assert len(rows(store, ACCOUNT.format("".join(link.format(n) for n in range(15))))) == 5
    assert code_of(store, ACCOUNT.format("".join(link.format(n) for n in range(16)))) == "0x8004430d"
    condition = "<condition attribute='name' operator='ne' value='x'/>"
    assert len(rows(store, ACCOUNT.format(f"<filter>{condition * 500}</filter>"))) == 5
    assert code_of(store, ACCOUNT.format(f"<filter>{condition * 501}</filter>")) == "0x8004430c"


def test_an_alias_is_used_once(store):
    link = "<link-entity name='contact' from='contactid' to='primarycontactid' alias='a'/>"
    assert code_of(store, ACCOUNT.format(link * 2)) == "0x80041109"


# Harm

BOMB = """<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;&lol;&lol;">]>
<fetch><entity name="account"><filter><condition attribute="name" operator="eq" value="&lol2;"/></filter>
  </entity></fetch>"""


@pytest.mark.parametrize(
    "xml",
    [
        BOMB,
        "<!DOCTYPE fetch SYSTEM 'file:///etc/passwd'><fetch><entity name='account'/></fetch>",
        (
            "<!DOCTYPE fetch [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><fetch>"
            "<entity name='account'/>&x;</fetch>"
        ),
        "<fetch><entity name='account'/>&undefined;</fetch>",
        "<fetch><entity name='account' name='account'/></fetch>",
        "<fetch>" + "<entity>" * 100_000,
        "<fetch><entity name='account'>" + "<filter>" * 60 + "</filter>" * 60 + "</entity></fetch>",
        "<fetch>" + "<filter>" * 7_000,
        "<fetch><entity name='account'/></fetch>" + " " * 70_000,
        "<fetch><entity name='account'/></fetch><fetch/>",
        "<fetch><entity name='account\x00'/></fetch>",
        "<fetch><entity name='account\ud800'/></fetch>",
        "<fetch><entity name='account&#xD800;'/></fetch>",
        "<?xml version='1.0' encoding='utf-16'?><fetch><entity name='accounts'/>",
        "\ufeff\ufeff<fetch/>",
        "{}",
    ],
)
def test_a_text_that_means_harm_is_refused_as_invalid(store, xml):
    assert code_of(store, xml) == "0x80040203"


@pytest.mark.parametrize(
    "name", ['name" FROM account; --', "name' OR '1'='1", "sqlite_master", "rowid", "*", "name, 1", "t.name"]
)
def test_names_that_the_schema_does_not_have_never_reach_the_statement(store, name):
    given = quoteattr(name)
    for inner in (
        f"<attribute name={given}/>",
        f"<order attribute={given}/>",
        f"<filter><condition attribute={given} operator='null'/></filter>",
        f"<link-entity name='contact' from={given} to='primarycontactid'/>",
    ):
        assert code_of(store, ACCOUNT.format(inner)) == "0x80041103"
    assert code_of(store, f"<fetch><entity name={given}/></fetch>") == "0x80041102"


def test_values_and_aliases_never_reach_the_statement(store):
    inner = """<attribute name='name' alias='zzz1'/><filter>
      <condition attribute='name' operator='eq' value='zzz2'/>
      <condition attribute='name' operator='in'><value>zzz3</value></condition></filter>
      <link-entity name='contact' from='contactid' to='primarycontactid' alias='zzz4'>
        <attribute name='fullname'/></link-entity>"""
    fetch = compiled(store, ACCOUNT.format(inner))
    for statement in (fetch.statement, fetch.counting):
        assert "zzz" not in statement.sql
        assert {"zzz2", "zzz3"} <= set(statement.values)


CHILDREN = {
    "entity": ["attribute", "attribute", "order", "filter", "link-entity", "link-entity", "no-attrs"],
    "link-entity": ["attribute", "all-attributes", "order", "filter", "link-entity"],
    "filter": ["condition", "condition", "filter", "link-entity"],
    "condition": ["value"],
}
CHOICES = {
    "name": ["name", "revenue", "ownerid", "createdon", "fullname", "accountid", "zzz"],
    "attribute": ["name", "revenue", "ownerid", "createdon", "statecode", "accountid", "fullname"],
    "operator": ["eq", "ne", "like", "in", "null", "under", "last-x-days", "eq-userid", "between", "zzz"],
    "value": ["1", "x", "%", guid(1), "2026-01-01", ""],
    "from": ["accountid", "contactid", "primarycontactid", "parentcustomerid", "fullname"],
    "to": ["accountid", "primarycontactid", "name", "ownerid"],
    "link-type": ["inner", "outer", "exists", "in", "any", "not any", "all", "matchfirstrowusingcrossapply"],
    "alias": ["a", "b", "c", "d", "e"],
    "entityname": ["a", "b", "account"],
    "aggregate": ["count", "sum", "max"],
    "dategrouping": ["week", "fiscal-period"],
    "descending": ["true", "false"],
    "type": ["and", "or"],
    "valueof": ["name", "a.name", "revenue"],
}
GIVEN = {
    "attribute": (["name"], ["alias", "aggregate"]),
    "order": (["attribute"], ["descending", "entityname", "alias"]),
    "filter": ([], ["type", "entityname"]),
    "condition": (["attribute", "operator"], ["value", "valueof", "entityname"]),
    "link-entity": (["from", "to"], ["link-type", "alias"]),
}


def random_tree(chance, tag, depth, fixed=""):
    always, sometimes = GIVEN.get(tag, ([], []))
    given = [*always, *(name for name in sometimes if chance.random() < 0.25)]
    attributes = "".join(f" {name}={quoteattr(chance.choice(CHOICES[name]))}" for name in given)
    if tag == "link-entity":
        attributes += f" name='{chance.choice(['account', 'contact', 'contact', 'teammembership'])}'"
    count = chance.randint(0, 3) if depth < 5 and tag in CHILDREN else 0
    children = (random_tree(chance, chance.choice(CHILDREN[tag]), depth + 1) for _ in range(count))
    return f"<{tag}{fixed}{attributes}>{''.join(children)}</{tag}>"


def test_random_trees_are_answered_or_refused_but_never_crash(store):
    chance = random.Random(20261123)
    outcomes = Counter()
    for _ in range(3_000):
        root = chance.choice(["", "", " aggregate='true'", " distinct='true'", " count='2' page='2'"])
        entity = random_tree(chance, "entity", 0, " name='account'")
        xml = f"<fetch{root}>{entity}</fetch>"
        try:
            json.dumps(run(compiled(store, xml), store, count=True).rows)
            outcomes["answered"] += 1
        except ODataError as refusal:
            outcomes[refusal.status, refusal.code] += 1
    assert outcomes.pop("answered") > 300
    assert {status for status, _ in outcomes} == {400}
    assert len(outcomes) > 9


def test_links_that_multiply_rows_without_end_are_stopped(store, monkeypatch):
    monkeypatch.setattr(work, "MOST_STEPS", 2_000_000)
    link = "<link-entity name='account' from='statecode' to='statecode' alias='l{}'/>"
    inner = "".join(link.format(n) for n in range(15))
    xml = (
        f"<fetch><entity name='account'><order entityname='l14' attribute='revenue'/>{inner}</entity></fetch>"
    )
    fetch = compiled(store, xml)
    with pytest.raises(ODataError) as refusal:
        run(fetch, store)
    assert (refusal.value.status, refusal.value.code) == (400, "0x80044151")
    assert len(rows(store, ACCOUNT.format(""))) == 5
