"""What one caller was given - a session, its stream, a question, a cursor - is of no use to another."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.authorization.issuer import Listening, listening_issuer
from tests.authorization.serving import HOST, INITIALIZE, Served, call, for_issuer, modern, served

BOB = {"oid": "bbbbbbbb-0000-4000-8000-000000000002", "sub": "bob"}
SHARED = {"preferred_username": "team@contoso.example"}
LISTING = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}


@pytest.fixture(scope="module")
def issuer() -> Iterator[Listening]:
    with listening_issuer() as listening:
        yield listening


@pytest.fixture(scope="module")
def server(issuer: Listening, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with sessions, on which callers are named by a claim that people share."""
    settings = for_issuer(issuer)
    with served(
        tmp_path_factory.mktemp("served"), **settings, sessions="stateful", callers_name="preferred_username"
    ) as found:
        yield found


@pytest.fixture
def ann(issuer: Listening) -> str:
    return issuer.token(**SHARED)


@pytest.fixture(params=["another name", "the same name", "another application"])
def thief(request: pytest.FixtureRequest, issuer: Listening) -> str:
    """A good token of somebody else: also of one with whom Ann shares the name that the policy knows."""
    changes: dict[str, dict[str, Any]] = {
        "another name": {**BOB, "preferred_username": "bob@contoso.example"},
        "the same name": {**BOB, **SHARED},
        "another application": {**SHARED, "azp": "another-client"},
    }
    return issuer.token(**changes[request.param])


def streamed(
    server: Served, token: str, path: str = "/mcp", method: str = "GET", **headers: str
) -> tuple[int, str]:
    """The status and kind of an answer that may be a stream, which is left at once."""
    sent = {"Host": HOST, "Accept": "text/event-stream", "Authorization": f"Bearer {token}", **headers}
    with httpx.stream(method, server.url + path, headers=sent, timeout=30) as answer:
        return answer.status_code, answer.headers.get("content-type", "")


def test_a_session_is_its_callers_alone_by_every_method(server: Served, ann: str, thief: str) -> None:
    session = server.post(INITIALIZE, ann).headers["Mcp-Session-Id"]

    assert server.post(LISTING, thief, Mcp_Session_Id=session).status_code == 404
    assert server.post(INITIALIZE, thief, Mcp_Session_Id=session).status_code == 404
    for headers in ({}, {"Last-Event-ID": "1"}):
        assert streamed(server, thief, **{"Mcp-Session-Id": session}, **headers)[0] == 404
    assert server.request("DELETE", token=thief, Mcp_Session_Id=session).status_code == 404

    assert server.post(LISTING, ann, Mcp_Session_Id=session).status_code == 200
    assert server.request("DELETE", token=ann, Mcp_Session_Id=session).status_code == 200
    assert server.post(LISTING, ann, Mcp_Session_Id=session).status_code == 404


@pytest.mark.parametrize("session", ["x", "x" * 5000, "0" * 32, "../x", "' or '1'='1", "\x7f"])
def test_a_session_that_is_none_is_not_found(server: Served, ann: str, session: str) -> None:
    expected = 400 if session == "\x7f" else 404  # A control character is in no header.
    assert server.post(LISTING, ann, Mcp_Session_Id=session).status_code == expected


def test_a_stream_that_is_taken_up_again_begins_anew(server: Served, ann: str) -> None:
    before = server.log.read_text()
    session = server.post(INITIALIZE, ann).headers["Mcp-Session-Id"]
    again = {"Mcp-Session-Id": session, "Last-Event-ID": "1"}
    assert streamed(server, ann, **again) == (200, "text/event-stream")
    assert streamed(server, ann, **{"Last-Event-ID": "1"})[0] == 400
    assert '"error"' not in server.log.read_text().removeprefix(before)


def asking(tool: str, **arguments: Any) -> dict[str, Any]:
    """A call of a client that can ask its human."""
    message = call(tool, **arguments)
    message["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = {"elicitation": {"form": {}}}
    return message


def answering(question: dict[str, Any], message: dict[str, Any]) -> dict[str, Any]:
    """The call again, with the human's yes."""
    yes = {"approval": {"action": "accept", "content": {}}}
    params = {**message["params"], "inputResponses": yes, "requestState": question["requestState"]}
    return {**message, "params": params}


def test_a_yes_of_one_callers_human_is_no_yes_of_anothers(server: Served, ann: str, thief: str) -> None:
    created = server.post(call("create_lead", lastname="Asked"), ann, **modern("create_lead")).json()
    key = created["result"]["structuredContent"]["record"]["leadid"]
    message = asking("delete_lead", leadid=key)
    question = server.post(message, ann, **modern("delete_lead")).json()["result"]
    assert question["resultType"] == "input_required"

    stolen = server.post(answering(question, message), thief, **modern("delete_lead"))

    assert stolen.json()["error"]["data"] == {"reason": "invalid_request_state"}
    found = server.post(call("get_lead", leadid=key), ann, **modern("get_lead")).json()["result"]
    assert found["isError"] is False
    own = server.post(answering(question, message), ann, **modern("delete_lead")).json()["result"]
    assert own["structuredContent"]["deleted"]["leadid"] == key


@pytest.mark.parametrize("state", ["", "v1.", "v1.AAAA", "v2.AAAA", "x" * 100_000, "é", 5, ["v1"]])
def test_a_question_that_nobody_asked_is_none(server: Served, ann: str, state: Any) -> None:
    message = answering({"requestState": state}, asking("delete_lead", leadid="0" * 8))
    answer = server.post(message, ann, **modern("delete_lead"))
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == -32602


def test_a_question_and_a_cursor_of_another_server_are_none(
    server: Served, issuer: Listening, ann: str, tmp_path: Path
) -> None:
    message = asking("delete_lead", leadid=_a_lead(server, ann))
    with served(tmp_path, **for_issuer(issuer), callers_name="preferred_username") as other:
        listed = other.post(call("list_leads", top=1), ann, **modern("list_leads")).json()["result"]
        foreign = asking("delete_lead", leadid=listed["structuredContent"]["records"][0]["leadid"])
        question = other.post(foreign, ann, **modern("delete_lead")).json()["result"]
        cursor = listed["structuredContent"]["cursor"]

    answer = server.post(answering(question, message), ann, **modern("delete_lead"))
    assert answer.json()["error"]["data"] == {"reason": "invalid_request_state"}
    refused = server.post(call("list_leads", cursor=cursor), ann, **modern("list_leads")).json()["result"]
    assert "not one that this server gave" in json.dumps(refused)


def _a_lead(server: Served, token: str) -> str:
    listed = server.post(call("list_leads", top=1), token, **modern("list_leads")).json()["result"]
    key: str = listed["structuredContent"]["records"][0]["leadid"]
    return key


@pytest.fixture(scope="module")
def events(issuer: Listening, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server of the older transport."""
    folder = tmp_path_factory.mktemp("events")
    with served(folder, "--transport", "sse", **for_issuer(issuer)) as found:
        yield Served(found.url.removesuffix("/sse"), found.process, found.log)


def test_messages_of_the_older_transport_are_its_callers_alone(events: Served, issuer: Listening) -> None:
    ann, bob = issuer.token(), issuer.token(**BOB)
    headers = {"Host": HOST, "Authorization": f"Bearer {ann}"}
    with httpx.stream("GET", events.url + "/sse", headers=headers, timeout=30) as stream:
        lines = stream.iter_lines()
        path = next(line for line in lines if line.startswith("data: ")).removeprefix("data: ")
        assert events.post(INITIALIZE, bob, path=path).status_code == 404
        assert events.post(INITIALIZE, None, path=path).status_code == 401
        assert events.request("GET", path, ann).status_code == 405
        for body in (b"", b"{", b"[]", b'{"jsonrpc":"2.0","id":1,"method":"\\ud800"}'):
            assert events.post(body, ann, path=path).status_code == 400
        for wrong in ("/messages/", "/messages/?session_id=x", f"/messages/?session_id={'0' * 32}"):
            assert events.post(INITIALIZE, ann, path=wrong).status_code in (400, 404)
        assert events.post(INITIALIZE, ann, path=path).status_code == 202
        answer = next(line for line in lines if line.startswith("data: "))
    assert json.loads(answer.removeprefix("data: "))["result"]["serverInfo"]
    assert '"level": "error"' not in events.log.read_text()


@pytest.mark.parametrize("method", ["PUT", "HEAD", "DELETE"])
def test_only_asking_for_events_opens_a_stream_of_them(
    events: Served, issuer: Listening, method: str
) -> None:
    assert streamed(events, issuer.token(), "/sse", method)[0] == 405
    assert events.post(INITIALIZE, issuer.token(), path="/sse").status_code == 405
