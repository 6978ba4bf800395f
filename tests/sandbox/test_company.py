"""The sample company: the same for a seed, of the wanted size, and believable in every table."""

import math
import re
from statistics import mean, median, pstdev

import pytest

from crm_sandbox.company.days import FIRST_DAY, TODAY, iso
from crm_sandbox.company.people import ADMINISTRATOR, DEFAULT_USER, READ_ONLY, READER, ROLES
from crm_sandbox.company.places import CITIES
from crm_sandbox.company.sizes import FULL, THINNING, rows_of
from crm_sandbox.company.words import KNOWN_COMPANIES
from crm_sandbox.opening import fill_store
from crm_sandbox.schema.loading import load_schema
from crm_sandbox.schema.model import CHOICE_TYPES, LOOKUP_TYPES, NUMBER_TYPES, TEXT_TYPES, ColumnType
from crm_sandbox.store import Store, intersects
from tests.sandbox.conftest import NOW

ACCOUNTS = 2_300
ACTIVITIES = ("task", "phonecall", "appointment", "opportunityclose")
PLACES = {
    (city.name, city.region, city.country.name, code): city
    for city in set(CITIES)
    for code in city.postal_codes
}


def filled(seed, accounts):
    """A store in memory with the company of a seed."""
    store = Store(load_schema(), lambda: NOW)
    fill_store(store, seed, accounts)
    return store


@pytest.fixture(scope="module")
def company():
    """A company of more than two blocks, the last of which is not a round one."""
    store = filled(1, ACCOUNTS)
    yield store
    store.close()


def kept(store):
    """Every table with rows of its own."""
    return [table for table in store.schema.tables.values() if not table.union_of]


def dump(store):
    """All that is in a store."""
    names = [*(table.name for table in kept(store)), *intersects(store.schema)]
    return {name: store.rows(f'SELECT * FROM "{name}"') for name in names}


def count(store, sql):
    """The number that a query gives."""
    ((number,),) = store.connection.execute(sql).fetchall()
    return number


def pattern(form):
    """A form of telephone numbers as a regular expression."""
    return re.compile(re.escape(form).replace(re.escape("{digits}"), r"1\d\d"))


def place(row):
    """The city of a row; there is none when name, region, country and postal code do not belong together."""
    parts = ("city", "stateorprovince", "country", "postalcode")
    return PLACES[tuple(row[f"address1_{part}"] for part in parts)]


def test_the_same_seed_and_size_give_the_same_rows():
    assert dump(filled(5, 60)) == dump(filled(5, 60))


def test_another_seed_gives_other_rows_and_other_keys():
    one, other = dump(filled(5, 60)), dump(filled(6, 60))
    for table in kept(filled(5, 1)):
        if table.name == "savedquery":  # a system view has the same id in every organisation
            continue
        keys = {row[table.key] for row in one[table.name]}
        assert not keys & {row[table.key] for row in other[table.name]}, table.name
    made = len(KNOWN_COMPANIES)
    assert [row["name"] for row in one["account"][made:]] != [row["name"] for row in other["account"][made:]]
    assert [row["revenue"] for row in one["account"]] != [row["revenue"] for row in other["account"]]


@pytest.mark.parametrize("accounts", [1, 2, 7, 200, 1_001])
def test_every_table_has_the_rows_that_the_size_asks_for(accounts):
    store = filled(3, accounts)
    found = {name: count(store, f'SELECT count(*) FROM "{name}"') for name in rows_of(accounts)}
    assert found == rows_of(accounts)


def test_the_other_tables_grow_with_the_accounts_and_more_slowly_beyond_a_size():
    small, full, large = rows_of(200), rows_of(FULL), rows_of(FULL + 100 * THINNING)
    grown = ("contact", "lead", "opportunity", "task", "phonecall", "appointment", "annotation")
    for table in grown:
        assert full[table] == small[table] * FULL // 200, table
        assert large[table] - full[table] == rows_of(100)[table], table
    assert large["account"] == FULL + 100 * THINNING
    assert small["product"] == large["product"]


def test_no_number_of_accounts_makes_an_empty_table_fail():
    store = filled(1, 0)
    assert count(store, "SELECT count(*) FROM account") == 0
    assert count(store, "SELECT count(*) FROM systemuser") == rows_of(0)["systemuser"]


def test_the_company_has_the_users_and_roles_that_it_is_known_for(company):
    sql = (
        "SELECT u.fullname, r.name FROM systemuser u JOIN systemuserroles ur USING (systemuserid) "
        "JOIN role r USING (roleid) ORDER BY u.fullname"
    )
    users = dict(company.connection.execute(sql).fetchall())
    assert next(iter(users)) == DEFAULT_USER == "Alex Baker"
    assert users[DEFAULT_USER] == ADMINISTRATOR == "System Administrator"
    assert users[READER] == READ_ONLY
    assert set(users.values()) == set(ROLES)


def test_the_companies_of_microsofts_samples_come_first(company):
    names = [row["name"] for row in company.rows("SELECT name FROM account ORDER BY rowid")]
    assert tuple(names[: len(KNOWN_COMPANIES)]) == KNOWN_COMPANIES
    assert {"Fabrikam, Inc.", "Contoso Ltd", "A. Datum"} <= set(names)


def test_no_two_companies_have_the_same_name(company):
    names = [row["name"] for row in company.rows("SELECT name FROM account")]
    assert len(set(names)) == len(names)


def test_keys_and_version_numbers_are_of_one_row_each(company):
    versions = []
    for table in kept(company):
        rows = company.rows(f'SELECT "{table.key}" AS key, versionnumber FROM "{table.name}"')
        assert len({row["key"] for row in rows}) == len(rows), table.name
        versions += [row["versionnumber"] for row in rows]
    assert len(set(versions)) == len(versions)
    assert company.next_version() > max(versions)


def test_every_lookup_leads_to_a_row(company):
    tables = company.schema.tables
    for table in kept(company):
        for column in table.columns.values():
            if column.type not in LOOKUP_TYPES:
                continue
            kind = f'"{column.type_column}"' if column.is_polymorphic else f"'{column.targets[0]}'"
            name = f'"{column.name}"'
            sql = f'SELECT DISTINCT {kind}, {name} FROM "{table.name}" WHERE {name} IS NOT NULL'
            for target, key in company.connection.execute(sql).fetchall():
                assert target in column.targets, (table.name, column.name, target)
                assert company.find(tables[target], key), (table.name, column.name)
    for name, many in intersects(company.schema).items():
        for row in company.rows(f'SELECT * FROM "{name}"'):
            for column, target in ((many.column, many.table), (many.other_column, many.other)):
                assert company.find(tables[target], row[column]), (name, column)


def test_every_value_is_one_that_its_column_allows(company):
    for table in kept(company):
        for column in table.columns.values():
            sql = (
                f'SELECT DISTINCT "{column.name}" AS v FROM "{table.name}" WHERE "{column.name}" IS NOT NULL'
            )
            values = [row["v"] for row in company.rows(sql)]
            about = (table.name, column.name)
            if column.type in CHOICE_TYPES:
                assert set(values) <= {choice.value for choice in column.choices}, about
            elif column.type in TEXT_TYPES and column.max_length:
                assert max(map(len, values), default=0) <= column.max_length, about
            elif column.type is ColumnType.BOOLEAN:
                assert set(values) <= {0, 1}, about
            elif column.type in NUMBER_TYPES and column.minimum is not None:
                assert all(column.minimum <= value <= column.maximum for value in values), about
            elif column.type is ColumnType.DATE_TIME:
                assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", value) for value in values), about


def test_every_status_reason_is_of_the_state_of_its_row(company):
    for table in kept(company):
        if not table.has_state:
            continue
        states = {choice.value: choice.state for choice in table.columns["statuscode"].choices}
        for row in company.rows(f'SELECT DISTINCT statecode, statuscode FROM "{table.name}"'):
            assert states[row["statuscode"]] == row["statecode"], table.name


def test_a_required_column_has_a_value_in_every_row(company):
    for table in kept(company):
        for column in table.columns.values():
            if column.required != "None" and column.required != "Recommended":
                sql = f'SELECT count(*) FROM "{table.name}" WHERE "{column.name}" IS NULL'
                assert count(company, sql) == 0, (table.name, column.name)


@pytest.mark.parametrize("table", ["account", "contact", "lead"])
def test_city_region_country_postal_code_and_telephone_go_together(company, table):
    for row in company.rows(f"SELECT * FROM {table}"):
        city = place(row)
        assert pattern(city.phone).fullmatch(row["telephone1"]), row
        if row.get("mobilephone"):
            assert pattern(city.country.mobile).fullmatch(row["mobilephone"]), row
        if row.get("address1_line1"):
            assert any(street in row["address1_line1"] for street in city.country.streets), row


def test_a_contact_has_the_address_of_its_company_and_a_mail_address_of_its_own(company):
    sql = """SELECT c.*, a.emailaddress1 AS mail, a.address1_line1 AS street, a.address1_city AS city,
             a.telephone1 AS phone FROM contact c JOIN account a ON a.accountid = c.parentcustomerid"""
    rows = company.rows(sql)
    assert len(rows) == count(company, "SELECT count(*) FROM contact")
    for row in rows:
        assert row["fullname"] == f"{row['firstname']} {row['lastname']}"
        assert (row["address1_line1"], row["address1_city"]) == (row["street"], row["city"])
        local, _, domain = row["emailaddress1"].partition("@")
        assert domain == row["mail"].partition("@")[2]
        assert re.fullmatch(r"[a-z-]+\.[a-z-]+", local), row["emailaddress1"]
        assert row["salutation"] == {1: "Mr.", 2: "Ms."}[row["gendercode"]]


def test_the_primary_contact_works_for_its_account_and_only_small_companies_have_none(company):
    sql = """SELECT a.accountid, a.numberofemployees, a.primarycontactid, c.parentcustomerid FROM account a
             LEFT JOIN contact c ON c.contactid = a.primarycontactid"""
    rows = company.rows(sql)
    unnamed = [row["numberofemployees"] for row in rows if row["primarycontactid"] is None]
    assert 0.05 * len(rows) < len(unnamed) < 0.2 * len(rows)
    assert max(unnamed) < 100
    assert all(row["parentcustomerid"] in (row["accountid"], None) for row in rows)


def test_mail_and_web_addresses_are_of_the_domain_kept_for_examples(company):
    for row in company.rows("SELECT emailaddress1, websiteurl FROM account"):
        assert re.fullmatch(r"info@[a-z0-9-]+\.example", row["emailaddress1"])
        assert row["websiteurl"] == f"https://www.{row['emailaddress1'].removeprefix('info@')}"
    for row in company.rows("SELECT emailaddress1 FROM lead"):
        assert re.fullmatch(r"[a-z-]+\.[a-z-]+@[a-z0-9-]+\.example", row["emailaddress1"])


def test_money_is_in_the_currency_of_the_country(company):
    sql = """SELECT a.address1_country AS country, a.exchangerate, c.isocurrencycode AS code,
             c.exchangerate AS rate FROM account a JOIN transactioncurrency c USING (transactioncurrencyid)"""
    currencies = {city.country.name: city.country.currency for city in CITIES}
    for row in company.rows(sql):
        assert row["code"] == currencies[row["country"]]
        assert row["exchangerate"] == row["rate"]
    assert {row["code"] for row in company.rows(sql)} == {"USD", "EUR", "GBP"}


def test_a_row_is_of_the_business_unit_of_its_owner(company):
    for table in kept(company):
        if "owningbusinessunit" not in table.columns:
            continue
        sql = f"""SELECT count(*) FROM "{table.name}" t
                  LEFT JOIN systemuser u ON u.systemuserid = t.ownerid
                  LEFT JOIN team m ON m.teamid = t.ownerid
                  WHERE coalesce(u.businessunitid, m.businessunitid) IS NOT t.owningbusinessunit"""
        assert count(company, sql) == 0, table.name


def test_revenues_and_sizes_of_companies_are_spread_over_orders_of_magnitude(company):
    rows = company.rows("SELECT revenue_base, numberofemployees FROM account")
    for column in ("revenue_base", "numberofemployees"):
        values = sorted(row[column] for row in rows)
        assert mean(values) > 1.6 * median(values), column
        assert 1.0 < pstdev(math.log(value) for value in values) < 1.7, column
        assert sum(values[-len(values) // 10 :]) > 0.4 * sum(values), column


def test_deals_are_worth_hundreds_to_hundreds_of_thousands(company):
    values = [row["v"] for row in company.rows("SELECT estimatedvalue_base AS v FROM opportunity")]
    assert min(values) >= 100
    assert max(values) < 1_000_000
    assert 10_000 < median(values) < 100_000
    assert mean(values) > 1.1 * median(values)
    assert len(set(values)) > len(values) / 4


def test_some_opportunities_are_open_and_more_of_the_closed_are_won_than_lost(company):
    states = [row["statecode"] for row in company.rows("SELECT statecode FROM opportunity")]
    shares = [states.count(state) / len(states) for state in (0, 1, 2)]
    assert shares[0] == pytest.approx(0.6, abs=0.01)
    assert shares[1] == pytest.approx(0.25, abs=0.04)
    assert shares[2] == pytest.approx(0.15, abs=0.04)


def test_an_opportunity_agrees_with_its_state_and_with_its_closing(company):
    sql = """SELECT o.*, c.actualrevenue, c.opportunitystatecode, c.actualend, c.activityid
             FROM opportunity o LEFT JOIN opportunityclose c USING (opportunityid)"""
    for row in company.rows(sql):
        if row["statecode"] == 0:
            assert (row["actualvalue"], row["actualclosedate"], row["activityid"]) == (None, None, None)
            assert row["closeprobability"] == (15, 35, 60, 80)[row["salesstage"]]
            continue
        worth = row["estimatedvalue"] if row["statecode"] == 1 else 0
        assert (row["actualvalue"], row["actualrevenue"]) == (worth, worth)
        assert row["closeprobability"] == (100 if row["statecode"] == 1 else 0)
        assert row["opportunitystatecode"] == row["statecode"]
        assert row["actualend"].startswith(row["actualclosedate"])
        assert row["actualclosedate"] < TODAY.isoformat()


def test_a_qualified_lead_became_an_opportunity_of_the_account_it_names(company):
    sql = """SELECT l.*, o.originatingleadid, o.parentaccountid AS sold_to, a.name FROM lead l
             LEFT JOIN opportunity o ON o.opportunityid = l.qualifyingopportunityid
             LEFT JOIN account a ON a.accountid = l.parentaccountid"""
    rows = company.rows(sql)
    for row in rows:
        if row["statecode"] == 1:
            assert row["originatingleadid"] == row["leadid"]
            assert row["sold_to"] == row["parentaccountid"] == row["customerid"]
            assert row["name"] == row["companyname"]
        else:
            assert (row["qualifyingopportunityid"], row["parentaccountid"]) == (None, None)
    assert sum(row["statecode"] == 1 for row in rows) == pytest.approx(0.16 * len(rows), rel=0.02)


def test_nothing_was_created_changed_or_closed_in_the_future(company):
    for table in kept(company):
        sql = f'SELECT createdon, modifiedon FROM "{table.name}"'
        for row in company.rows(sql):
            assert f"{iso(FIRST_DAY)}T" <= row["createdon"] <= row["modifiedon"] < TODAY.isoformat(), (
                table.name
            )
    for table in ACTIVITIES:
        last = count(company, f"SELECT max(actualend) FROM {table}")
        assert last < TODAY.isoformat(), table


@pytest.mark.parametrize(
    ("table", "column", "parent"),
    [
        ("account", "parentaccountid", "account"),
        ("contact", "parentcustomerid", "account"),
        ("opportunity", "parentcontactid", "contact"),
        ("opportunity", "customerid", "account"),
        ("opportunity", "originatingleadid", "lead"),
        ("opportunityclose", "opportunityid", "opportunity"),
        ("task", "regardingobjectid", "opportunity"),
        ("task", "regardingobjectid", "account"),
        ("phonecall", "regardingobjectid", "opportunity"),
        ("phonecall", "regardingobjectid", "account"),
        ("appointment", "regardingobjectid", "opportunity"),
        ("appointment", "regardingobjectid", "account"),
        ("activityparty", "activityid", "phonecall"),
        ("activityparty", "partyid", "contact"),
        ("annotation", "objectid", "opportunity"),
        ("annotation", "objectid", "account"),
        ("annotation", "objectid", "contact"),
    ],
)
def test_nothing_was_created_before_what_it_belongs_to(company, table, column, parent):
    key = company.schema[parent].key
    joined = f"FROM {table} t JOIN {parent} p ON p.{key} = t.{column}"
    assert count(company, f"SELECT count(*) {joined}") > 0
    assert count(company, f"SELECT count(*) {joined} WHERE t.createdon < p.createdon") == 0


@pytest.mark.parametrize("table", ACTIVITIES)
def test_what_is_done_ended_and_was_last_changed_no_earlier(company, table):
    sql = f"SELECT statecode, scheduledstart, scheduledend, actualend, modifiedon FROM {table}"
    for row in company.rows(sql):
        if row["statecode"] == 1:
            assert row["actualend"] <= row["modifiedon"], row
        if row["statecode"] in (0, 3):
            assert row["actualend"] is None
        if row["scheduledstart"] and row["scheduledend"]:
            assert row["scheduledstart"] < row["scheduledend"]


def test_people_work_on_weekdays(company):
    for table in ("account", "contact", "lead", "opportunity", *ACTIVITIES, "annotation"):
        sql = f"SELECT count(*) FROM {table} WHERE strftime('%w', createdon) IN ('0', '6')"
        assert count(company, sql) == 0, table
        hours = f"SELECT count(*) FROM {table} WHERE substr(createdon, 12, 2) NOT BETWEEN '08' AND '17'"
        assert count(company, hours) == 0, table


def test_accounts_were_made_over_years_and_more_of_late(company):
    years = [row["y"] for row in company.rows("SELECT substr(createdon, 1, 4) AS y FROM account")]
    assert {"2023", "2024", "2025", "2026"} <= set(years)
    assert years.count("2026") > years.count("2023") > 0
