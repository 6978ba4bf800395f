"""Fault scripts: reading them, and which requests their faults strike."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_sandbox.trouble import FaultScript, FaultScriptError
from crm_sandbox.trouble.planning import FaultPlan
from tests.sandbox.trouble.small_crm import script

LEADS = "/api/data/v9.2/leads"
FILE = """
seed = 7

[[faults]]
what = "bad_gateway"
stored = true
method = "post"
path = "/api/data/v9.2/leads"
after = 2
count = 1

[[faults]]
what = "slow"
seconds = 1.5
share = 0.25
"""


def struck(plan, requests):
    """What strikes each of the requests (method, path, header)."""
    chosen = [plan.choose(*request) for request in requests]
    return [armed and armed.fault.what for armed in chosen]


def turns(fault, number):
    """At which of so many equal requests a fault strikes, counted from 1."""
    found = struck(FaultPlan(script(fault)), [("GET", LEADS, None)] * number)
    return [turn for turn, what in enumerate(found, 1) if what]


def refusal(content):
    with pytest.raises(FaultScriptError) as raised:
        FaultScript.from_json(json.dumps(content))
    return str(raised.value)


def script_or_none(content):
    try:
        return FaultScript.from_json(json.dumps(content))
    except FaultScriptError:
        return None


def test_toml_and_json_files_give_the_same_script(tmp_path):
    toml, as_json = tmp_path / "bad_day.toml", tmp_path / "bad_day.JSON"
    toml.write_text(FILE, encoding="utf-8")
    loaded = FaultScript.load(toml)
    assert loaded.seed == 7
    assert [fault.what for fault in loaded.faults] == ["bad_gateway", "slow"]
    assert loaded.faults[0].method == "POST"
    as_json.write_text(json.dumps(loaded.as_json()), encoding="utf-8-sig")
    assert FaultScript.load(str(as_json)) == loaded


def test_a_file_that_is_no_script_is_refused_by_name(tmp_path):
    for name, content, reason in [
        ("script.yaml", b"", "a fault script is a .toml or a .json file"),
        ("script.toml", b"seed = ", "This is not TOML"),
        ("script.json", b"{", "This is not JSON"),
        ("script.json", b"\xff\xfe", "not text in UTF-8"),
        ("script.json", b"[" * 100_000, "This is not JSON"),
        ("script.json", b"[]", "A fault script is an object"),
        ("other.toml", b"sed = 1", "sed: unknown key; 'sed' is closest to 'seed'"),
    ]:
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(FaultScriptError) as raised:
            FaultScript.load(path)
        assert str(raised.value).startswith(f"{name}: ")
        assert reason in str(raised.value)
    with pytest.raises(FileNotFoundError):
        FaultScript.load(tmp_path / "missing.toml")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"fault": []}, "fault: unknown key; 'fault' is closest to 'faults' (known: seed, faults)"),
        (
            {"faults": [{"what": "drop", "evry": 2}]},
            "faults[0].evry: unknown key; 'evry' is closest to 'every'",
        ),
        ({"faults": [{"what": "drop", "retry_after": 2}]}, "faults[0].retry_after: unknown key"),
        (
            {"faults": [{"what": "throtle"}]},
            "faults[0].what: unknown fault; 'throtle' is closest to 'throttle'",
        ),
        ({"faults": [{"what": 7}]}, "faults[0].what: unknown fault"),
        ({"faults": [{}]}, "faults[0]: the key 'what' is missing; it is one of throttle, bad_gateway"),
        ({"faults": ["drop"]}, "faults[0]: "),
        ({"faults": {"what": "drop"}}, "faults: "),
        ({"seed": 1.5}, "seed: "),
        ({"faults": [{"what": "slow"}]}, "faults[0].seconds: Field required"),
        ({"faults": [{"what": "slow", "seconds": float("nan")}]}, "faults[0].seconds: "),
        ({"faults": [{"what": "slow", "seconds": True}]}, "faults[0].seconds: "),
        ({"faults": [{"what": "slow", "seconds": 1e9}]}, "faults[0].seconds: "),
        ({"faults": [{"what": "throttle", "retry_after": 10**12}]}, "faults[0].retry_after: "),
        ({"faults": [{"what": "throttle", "retry_after_as": "words"}]}, "faults[0].retry_after_as: "),
        ({"faults": [{"what": "drop", "share": 1.1}]}, "faults[0].share: "),
        ({"faults": [{"what": "drop", "every": 0}]}, "faults[0].every: "),
        ({"faults": [{"what": "drop", "after": True}]}, "faults[0].after: "),
        ({"faults": [{"what": "drop", "count": 0}]}, "faults[0].count: "),
        ({"faults": [{"what": "drop", "stored": "yes"}]}, "faults[0].stored: "),
        ({"faults": [{"what": "drop", "method": "STEAL"}]}, "faults[0].method: "),
        ({"faults": [{"what": "drop", "method": 1}]}, "faults[0].method: "),
        (
            {"faults": [{"what": "drop", "path": "leads"}]},
            "faults[0].path: a path is a text that begins with / or *",
        ),
        ({"faults": [{"what": "drop", "path": "/\ud800"}]}, "faults[0].path: "),
        ({"faults": [{"what": "drop", "header": "\ud800"}]}, "faults[0].header: a header is printable ASCII"),
        ({"faults": [{"what": "drop", "\ud800": 1}]}, "faults[0]: "),
        ({"faults": [{"what": "foreign_next_link", "host": "a/b"}]}, "faults[0].host: a host is a name"),
        (
            {"faults": [{"what": "expired_token", "www_authenticate": "Bearer\r\nSet-Cookie: a=b"}]},
            "faults[0].www_authenticate: a header is printable ASCII",
        ),
    ],
)
def test_what_is_wrong_with_a_script_is_said_where_it_is_wrong(content, reason):
    assert refusal(content).startswith(reason)


def test_a_message_does_not_repeat_a_very_long_key():
    assert len(refusal({"a" * 100_000: 1})) < 1000
    assert len(refusal({"faults": [{"what": "drop", "b" * 100_000: 1}]})) < 1000


def test_everything_that_is_wrong_is_said_at_once():
    text = refusal({"sed": 1, "faults": [{"what": "drop", "evry": 1, "share": 2}]})
    assert "sed: " in text
    assert "faults[0].evry: " in text
    assert "faults[0].share: " in text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
KEYS = ["method", "path", "header", "after", "every", "count", "share", "stored", "seconds", "host", "what"]


@given(JSON | st.fixed_dictionaries({"faults": st.lists(st.dictionaries(st.sampled_from(KEYS), JSON))}), JSON)
def test_any_json_is_a_script_or_refused(content, what):
    for faults in content.get("faults", []) if isinstance(content, dict) else []:
        if isinstance(faults, dict):
            faults.setdefault("what", what)
    read = script_or_none(content)
    assert read is None or script_or_none(read.as_json()) == read


def test_a_fault_without_conditions_strikes_every_request():
    assert turns({"what": "drop"}, 4) == [1, 2, 3, 4]


def test_after_every_and_count_go_together():
    assert turns({"what": "drop", "after": 2}, 5) == [3, 4, 5]
    assert turns({"what": "drop", "every": 3}, 7) == [3, 6]
    assert turns({"what": "drop", "count": 2}, 5) == [1, 2]
    assert turns({"what": "drop", "after": 2, "every": 3, "count": 2}, 20) == [5, 8]


def test_filters_choose_the_requests_that_count():
    plan = FaultPlan(script({"what": "drop", "method": "POST", "path": LEADS, "every": 2}))
    posted = ("POST", LEADS, None)
    others = [("GET", LEADS, None), ("POST", "/api/data/v9.2/accounts", None)]
    assert struck(plan, [posted, *others, posted, *others, posted]) == [
        None,
        None,
        None,
        "drop",
        None,
        None,
        None,
    ]


@pytest.mark.parametrize(
    ("wanted", "path", "matches"),
    [
        (LEADS, f"{LEADS}(1)", True),
        (LEADS, "/api/data/v9.2/lead", False),
        ("*/leads", LEADS, True),
        ("*/leads", f"{LEADS}(1)", False),
        ("/api/data/v?.?/leads*", f"{LEADS}(1)", True),
        ("/api/*/Leads", LEADS, False),
        ("/api/data/v9.[12]/leads", LEADS, True),
    ],
)
def test_a_path_is_a_beginning_or_a_pattern_for_the_whole(wanted, path, matches):
    plan = FaultPlan(script({"what": "drop", "path": wanted}))
    assert struck(plan, [("GET", path, None)]) == ["drop" if matches else None]


def test_a_fault_with_a_header_strikes_only_who_asks_for_it():
    plan = FaultPlan(script({"what": "drop", "header": "lose-it", "count": 1}))
    requests = [
        ("GET", LEADS, None),
        ("GET", LEADS, "other"),
        ("GET", LEADS, "lose-it"),
        ("GET", LEADS, "lose-it"),
    ]
    assert struck(plan, requests) == [None, None, "drop", None]


def test_the_first_fault_that_is_due_strikes_and_the_others_go_on_counting():
    plan = FaultPlan(script({"what": "drop", "every": 2}, {"what": "truncate", "every": 3, "count": 1}))
    found = struck(plan, [("GET", LEADS, None)] * 9)
    assert found == [None, "drop", "truncate", "drop", None, "drop", None, "drop", None]


def test_a_share_of_none_or_all_is_exact():
    assert turns({"what": "drop", "share": 0}, 50) == []
    assert turns({"what": "drop", "share": 1}, 50) == list(range(1, 51))


def test_a_share_strikes_about_as_often_as_it_says():
    assert 200 < len(turns({"what": "drop", "share": 0.25}, 1000)) < 300


FAULTS = st.lists(
    st.fixed_dictionaries(
        {"what": st.sampled_from(["drop", "truncate", "throttle"])},
        optional={
            "share": st.floats(0, 1),
            "after": st.integers(0, 5),
            "every": st.integers(1, 4),
            "count": st.integers(1, 5),
            "method": st.sampled_from(["GET", "POST"]),
        },
    ),
    max_size=4,
)
REQUESTS = st.lists(st.tuples(st.sampled_from(["GET", "POST"]), st.just(LEADS), st.none()), max_size=40)


@given(FAULTS, REQUESTS, st.integers())
def test_the_same_script_and_requests_give_the_same_faults(faults, requests, seed):
    first = script(*faults, seed=seed)
    again = FaultScript.from_json(json.dumps(first.as_json()))
    assert again == first
    assert struck(FaultPlan(first), requests) == struck(FaultPlan(again), requests)


@given(st.integers(), REQUESTS, FAULTS)
def test_the_chances_of_a_fault_do_not_depend_on_other_faults(seed, requests, others):
    one = {"what": "not_json", "share": 0.5}
    alone = struck(FaultPlan(script(one, seed=seed)), requests)
    first_of_many = struck(FaultPlan(script(one, *others, seed=seed)), requests)
    assert [what == "not_json" for what in first_of_many] == [what == "not_json" for what in alone]


def test_another_seed_gives_other_faults():
    requests = [("GET", LEADS, None)] * 200
    drop = {"what": "drop", "share": 0.5}
    assert struck(FaultPlan(script(drop, seed=1)), requests) != struck(
        FaultPlan(script(drop, seed=2)), requests
    )
