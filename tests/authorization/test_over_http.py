"""A server for a team over HTTP: who is let in, what others are told, and what nobody gets through."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.authorization.issuer import Listening, listening_issuer, signed
from tests.authorization.serving import HOST, INITIALIZE, PUBLIC, Served, call, for_issuer, modern, served

METADATA = f"{PUBLIC}/.well-known/oauth-protected-resource/mcp"
PAGE = "https://assistant.contoso.example"
BOB = {"oid": "bbbbbbbb-0000-4000-8000-000000000002", "sub": "bob"}


@pytest.fixture(scope="module")
def issuer() -> Iterator[Listening]:
    with listening_issuer() as listening:
        yield listening


@pytest.fixture(scope="module")
def server(issuer: Listening, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    with served(folder, "--host", "0.0.0.0", **for_issuer(issuer), origins=PAGE) as found:  # noqa: S104
        yield Served(found.url.replace("0.0.0.0", "127.0.0.1"), found.process, found.log)  # noqa: S104


def structured(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()["result"]
    return result


def test_without_a_token_one_learns_where_to_get_one(server: Served) -> None:
    answer = server.post(call("whoami"))

    assert answer.status_code == 401
    challenge = answer.headers["WWW-Authenticate"]
    assert f'resource_metadata="{METADATA}"' in challenge
    assert 'scope="crm.read crm.write"' in challenge
    assert "error=" not in challenge


@pytest.mark.parametrize("path", ["/mcp", ""])
def test_the_resource_is_described_to_everybody(server: Served, issuer: Listening, path: str) -> None:
    answer = server.request("GET", "/.well-known/oauth-protected-resource" + path)

    assert answer.json() == {
        "resource": f"{PUBLIC}/mcp",
        "resource_name": "Dynamics 365 CRM",
        "bearer_methods_supported": ["header"],
        "authorization_servers": [issuer.address],
        "scopes_supported": ["crm.read", "crm.write", "crm.approve"],
    }
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_a_caller_with_a_token_is_known_by_name_and_role(server: Served, issuer: Listening) -> None:
    answer = server.post(call("whoami"), issuer.token(roles=["Salesperson"]), **modern("whoami"))

    told = structured(answer)["structuredContent"]
    assert told["caller"].startswith("aaaaaaaa-")
    assert told["roles"] == ["Salesperson"]


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": 1_700_000_000},
        {"aud": "https://graph.microsoft.com"},
        {"key": "foreign"},
        {"nbf": 4_000_000_000, "exp": 4_000_000_600},
    ],
)
def test_a_bad_token_is_refused_without_a_reason_and_logged_with_one(
    server: Served, issuer: Listening, changes: dict[str, Any]
) -> None:
    before = len(server.logged("token_refused"))
    answer = server.post(call("whoami"), issuer.token(**changes))

    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    assert answer.json()["error_description"] == "The access token is not valid here."
    (entry,) = server.logged("token_refused")[before:]
    assert entry["reason"]


@pytest.mark.parametrize(
    "header", ["Basic YTpi", "Bearer", "Bearer a b", 'bearer "quoted"', "Bearer " + "x" * 20_000]
)
def test_an_odd_header_is_no_token(server: Served, header: str) -> None:
    assert server.post(call("whoami"), Authorization=header).status_code == 401


def test_two_tokens_in_one_request_are_none(server: Served, issuer: Listening) -> None:
    token = f"Bearer {issuer.token()}"
    headers = [("Host", HOST), ("Authorization", token), ("Authorization", token)]
    assert httpx.post(server.url + "/mcp", headers=headers, content=b"{}").status_code == 401


def test_a_token_in_the_address_is_none(server: Served, issuer: Listening) -> None:
    assert server.post(call("whoami"), path=f"/mcp?access_token={issuer.token()}").status_code == 401


def test_reading_alone_does_not_let_one_write_and_says_which_scope_to_ask_for(
    server: Served, issuer: Listening
) -> None:
    token = issuer.token(scp="crm.read")
    assert structured(server.post(call("list_tables"), token, **modern("list_tables")))
    answer = server.post(call("create_lead", lastname="Sneaky"), token, **modern("create_lead"))

    assert answer.status_code == 403
    challenge = answer.headers["WWW-Authenticate"]
    assert 'error="insufficient_scope"' in challenge
    assert 'scope="crm.read crm.write"' in challenge
    assert f'resource_metadata="{METADATA}"' in challenge
    found = server.post(call("find_records", text="Sneaky"), token, **modern("find_records"))
    assert structured(found)["structuredContent"]["found"] == 0


def test_a_token_without_a_scope_of_ours_is_good_for_nothing(server: Served, issuer: Listening) -> None:
    assert server.post(call("list_tables"), issuer.token(scp="User.Read")).status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        b'{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call","params":{"name":"create_lead"}}',
        b'[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"create_lead","arguments":{}}}]',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_tables","name":"create_lead"}}',
        b"\xff\xfe",
        b"[" * 100_000,
        b"",
    ],
)
def test_no_form_of_a_message_gets_a_change_past_the_scope(
    server: Served, issuer: Listening, body: bytes
) -> None:
    answer = server.post(body, issuer.token(scp="crm.read"), **modern("create_lead"))
    assert answer.status_code in (400, 403), answer.text


def test_a_session_is_of_no_use_to_another_caller(issuer: Listening, tmp_path: Path) -> None:
    with served(tmp_path, **for_issuer(issuer), sessions="stateful") as stateful:
        opened = stateful.post(INITIALIZE, issuer.token())
        session = opened.headers["Mcp-Session-Id"]
        listing = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
        stolen = stateful.post(listing, issuer.token(**BOB), Mcp_Session_Id=session)
        assert stolen.status_code == 404
        assert stateful.post(listing, issuer.token(), Mcp_Session_Id=session).status_code == 200
        assert stateful.post(listing, None, Mcp_Session_Id=session).status_code == 401


def test_a_cursor_is_of_no_use_to_another_caller(server: Served, issuer: Listening) -> None:
    listed = server.post(call("list_leads", top=1), issuer.token(), **modern("list_leads"))
    cursor = structured(listed)["structuredContent"]["cursor"]
    stolen = server.post(call("list_leads", cursor=cursor), issuer.token(**BOB), **modern("list_leads"))
    assert structured(stolen)["isError"] is True
    renewed = issuer.token(iat=1_700_000_000)
    assert (
        structured(server.post(call("list_leads", cursor=cursor), renewed, **modern("list_leads")))["isError"]
        is False
    )


@pytest.mark.parametrize("host", ["evil.example", f"{HOST}.evil.example", "0.0.0.0"])  # noqa: S104
def test_a_request_for_another_host_is_refused_before_its_token_is_looked_at(
    server: Served, issuer: Listening, host: str
) -> None:
    assert server.post(call("whoami"), issuer.token(), Host=host).status_code == 421


def test_scripts_of_named_pages_may_call_and_others_may_not(server: Served, issuer: Listening) -> None:
    asked = {
        "Origin": PAGE,
        "Access_Control_Request_Method": "POST",
        "Access_Control_Request_Headers": "authorization",
    }
    preflight = server.request("OPTIONS", **asked)
    assert preflight.headers["Access-Control-Allow-Origin"] == PAGE
    answer = server.post(call("whoami"), issuer.token(), Origin=PAGE, **modern("whoami"))
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    assert (
        "WWW-Authenticate"
        in server.post(call("whoami"), Origin=PAGE).headers["Access-Control-Expose-Headers"]
    )
    other = {**asked, "Origin": "https://evil.example"}
    assert server.request("OPTIONS", **other).status_code == 403
    assert server.post(call("whoami"), issuer.token(), Origin="https://evil.example").status_code == 403


@pytest.mark.parametrize("headers", [{}, modern("whoami")], ids=["handshake", "stateless"])
@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"Accept": "text/html"}, 406),
        ({"Accept": ""}, 406),
        ({"Content_Type": "text/plain"}, 415),
        ({"Content_Encoding": "gzip"}, 415),
        ({"Mcp_Protocol_Version": "9999-01-01"}, 400),
        ({"Mcp_Protocol_Version": "x" * 5000}, 400),
    ],
    ids=str,
)
def test_what_is_not_meant_for_the_protocol_is_refused_as_such(
    server: Served, issuer: Listening, changes: dict[str, str], status: int, headers: dict[str, str]
) -> None:
    assert server.post(call("whoami"), issuer.token(), **{**headers, **changes}).status_code == status


@pytest.mark.parametrize("method", ["HEAD", "PUT", "PATCH", "TRACE", "OPTIONS", "PROPFIND", "QUERY"])
def test_other_methods_are_refused_with_a_token_and_unseen_without(
    server: Served, issuer: Listening, method: str
) -> None:
    assert server.request(method).status_code == 401
    assert server.request(method, token=issuer.token()).status_code == 405


def test_a_message_that_is_too_large_is_refused(server: Served, issuer: Listening) -> None:
    answer = server.post(b'"' + b"x" * 17_000_000 + b'"', issuer.token())
    assert answer.status_code == 413


def test_probes_need_no_token_and_no_name(server: Served) -> None:
    for path, says in (("/healthz", "ok"), ("/readyz", '"ready":true')):
        answer = httpx.get(server.url + path, headers={"Host": "10.1.2.3:8321"})
        assert answer.status_code == 200
        assert says in answer.text


def test_a_head_without_an_end_ends_the_connection(server: Served) -> None:
    parts = urlsplit(server.url)
    with socket.create_connection((str(parts.hostname), parts.port or 0), timeout=30) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nX-Padding: ")
        sent = 0
        try:
            while sent < 10_000_000:
                sent += connection.send(b"x" * 65_536)
        except OSError:
            # Closed while there was more to send.
            pass
        assert sent < 10_000_000


def test_what_callers_send_breaks_no_line_of_the_log(server: Served, issuer: Listening) -> None:
    name = 'x","event":"forged\n{"event":"forged"}'
    server.post(call(name), issuer.token())
    server.post(b"{}", issuer.token(key="foreign"), path="/mcp?x=%0a%7b%22event%22:%22forged%22%7d")
    assert server.logged("forged") == []
    assert issuer.token() not in server.log.read_text()
    assert "eyJ" not in server.log.read_text()


def test_known_keys_serve_while_the_issuer_is_away_and_readiness_says_so_only_without_any(
    tmp_path: Path,
) -> None:
    with listening_issuer() as issuer:
        issuer.is_down = True
        with served(tmp_path, **for_issuer(issuer)) as late:
            ready = httpx.get(late.url + "/readyz")
            assert (ready.status_code, "issuer" in ready.json()["missing"]) == (503, True)
            answer = late.post(call("whoami"), signed(issuer.address), **modern("whoami"))
            assert answer.status_code == 503
            assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"callers_issuer": "https://id.example"}, "DYNAMICS_PUBLIC_URL"),
        ({"callers_issuer": "https://id.example", "public_url": PUBLIC}, "DYNAMICS_CALLERS_AUDIENCE"),
        ({"callers_audience": "x"}, "of no use without DYNAMICS_CALLERS_ISSUER"),
        ({"callers_issuer": "http://id.example"}, "https address"),
        ({"callers_issuer": "https://id.example:99999"}, "https address"),
        ({"callers_issuer": "https://[id.example"}, "https address"),
        (
            {
                "callers_issuer": "https://login.microsoftonline.com/{tenantid}/v2.0",
                "callers_audience": "x",
                "public_url": PUBLIC,
            },
            "go together",
        ),
        (
            {
                "callers_issuer": "https://login.microsoftonline.com/{tenantid}/v2.0",
                "callers_tenants": "11111111-2222-4333-8444-555555555555",
                "callers_name": "preferred_username",
                "callers_audience": "x",
                "public_url": PUBLIC,
            },
            "cannot be set beside DYNAMICS_CALLERS_TENANTS",
        ),
        ({"callers_file": "missing.toml", "public_url": PUBLIC}, "cannot be read"),
        ({"callers_services": "GUID"}, "GUID=Integration"),
        ({"sessions": "sticky"}, "stateful or stateless"),
    ],
)
def test_settings_that_cannot_be_meant_refuse_the_start(
    settings: dict[str, str], says: str, tmp_path: Path
) -> None:
    with pytest.raises(AssertionError) as caught, served(tmp_path, **settings):
        pass
    assert says in str(caught.value)


def test_an_address_that_others_can_reach_is_refused_without_callers(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="callers are not told apart"), served(tmp_path, "--host", "::"):
        pass


def test_json_of_refusals_is_json(server: Served) -> None:
    assert json.loads(server.post(call("whoami")).content)["error"] == "unauthorized"
