"""The stdio transport, as a client's process sees it."""

from __future__ import annotations

import sys

import pytest
from mcp import Client, StdioServerParameters

from crm_server.ending import LAST_RESORT_SECONDS
from crm_server.stdio import GRACE_SECONDS, MAX_MESSAGE_BYTES, LineSplitter
from tests.transports.echo_process import NOT_WAITED, SCRIPT, echo_process

MEGABYTES_5 = 5_000_000


@pytest.mark.anyio
@pytest.mark.parametrize(("mode", "version"), [("legacy", "2025-11-25"), ("auto", "2026-07-28")])
async def test_a_client_of_either_era_lists_and_calls(mode, version):
    parameters = StdioServerParameters(command=sys.executable, args=[SCRIPT, "stdio"])
    async with Client(parameters, mode=mode) as client:
        assert client.protocol_version == version
        assert "echo" in [tool.name for tool in (await client.list_tools()).tools]
        answer = await client.call_tool("echo", {"text": "grüße"})
        assert answer.content[0].text == "grüße"


def test_messages_pass_whole_and_nothing_else_reaches_the_wire():
    with echo_process("stdio") as server:
        server.initialize()

        server.call(1, "print", "stray")
        assert server.receive()["result"]["content"][0]["text"] == "input is b''"

        server.call(2, "echo", "y" * MEGABYTES_5)
        assert server.receive()["result"]["content"][0]["text"] == "y" * MEGABYTES_5

        server.send_line(b"{nonsense")
        server.send_line(b'{"jsonrpc": "2.0"}')
        server.send_line(b"\xff\xfe")
        server.call(3, "echo", "still here")
        assert server.receive()["id"] == 3

        server.send_line(b"a" * (MAX_MESSAGE_BYTES + 1))
        refusal = server.receive()
        assert (refusal["id"], refusal["error"]["code"]) == (None, -32700)
        assert "16 MiB" in refusal["error"]["message"]

        server.call(4, "surrogate", "")
        refusal = server.receive()
        assert (refusal["id"], refusal["error"]["code"]) == (4, -32603)

        server.call(5, "echo", "still here")
        server.stdin.close()
        assert server.receive()["id"] == 5
        code, _seconds, errors, rest = server.end()
        assert (code, rest) == (0, b"")
        assert {"stray", "stray raw", "stray from a child"} <= set(errors.splitlines())


@pytest.mark.parametrize(("how", "modern"), [("EOF", False), ("SIGTERM", True), ("SIGINT", False)])
def test_the_end_cancels_a_call_under_way_and_does_not_wait_for_it(how, modern):
    with echo_process("stdio") as server:
        if not modern:
            server.initialize()
        server.call(1, "wait", "60", modern=modern)
        server.wait_for("waiting")
        server.tell_to_end(how)
        answer = server.receive()
        assert (answer["id"], answer["error"]["code"]) == (1, -32000)
        code, seconds, errors, rest = server.end()
        assert (code, rest) == (0, b"")
        assert errors.split("\n")[:2] == ["lifespan ended", "returned"]
        assert seconds < NOT_WAITED


def test_a_call_that_finishes_within_the_grace_is_answered():
    with echo_process("stdio") as server:
        server.initialize()
        server.tell_to_end("SIGTERM")
        _code, idle, _errors, _rest = server.end()
    with echo_process("stdio") as server:
        server.initialize()
        server.call(1, "wait", "0.2")
        server.wait_for("waiting")
        server.tell_to_end("SIGTERM")
        assert server.receive()["result"]["content"][0]["text"] == "waited"
        code, seconds, _errors, rest = server.end()
        assert (code, rest) == (0, b"")
        assert seconds < 0.2 + 2 * idle + 1, "it waited on although nothing was under way"


def test_the_time_for_an_end_is_less_than_the_two_seconds_that_hosts_wait():
    assert GRACE_SECONDS + LAST_RESORT_SECONDS < 2


def test_a_blocked_thread_does_not_keep_the_process():
    with echo_process("stdio") as server:
        server.initialize()
        server.call(1, "block", "60")
        server.wait_for("waiting")
        server.tell_to_end("SIGTERM")
        code, seconds, _errors, _rest = server.end()
        assert code == 0
        assert seconds < NOT_WAITED


def test_a_client_that_does_not_read_does_not_keep_the_process():
    with echo_process("stdio") as server:
        server.initialize()
        server.call(1, "many", str(MEGABYTES_5))
        server.call(2, "wait", "60")
        server.wait_for("waiting")
        server.tell_to_end("SIGTERM")
        assert server.process.wait(NOT_WAITED) == 0


def test_a_closed_stdout_ends_the_server_quietly():
    with echo_process("stdio") as server:
        server.initialize()
        server.stdout.close()
        server.call(1, "echo", "anyone?")
        assert server.process.wait(10) == 0
        assert server.stderr.read().decode().split() == ["lifespan", "ended", "returned"]


def test_requests_in_a_file_are_all_answered(tmp_path):
    requests = tmp_path / "requests.jsonl"
    requests.write_text(
        '{"jsonrpc":"2.0","id":1,"method":"ping"}\n'
        '{"jsonrpc":"2.0","id":2,"method":"ping"}'  # The last line lacks its newline.
    )
    with requests.open("rb") as stdin, echo_process("stdio", stdin=stdin) as server:
        _code, _seconds, _errors, rest = server.end()
    assert rest == b'{"jsonrpc":"2.0","id":1,"result":{}}\n{"jsonrpc":"2.0","id":2,"result":{}}\n'


def test_where_stdin_cannot_be_watched_the_server_serves_and_ends_all_the_same():
    with echo_process("sdk-stdio") as server:
        server.initialize()
        server.call(1, "echo", "hello")
        assert server.receive()["result"]["content"][0]["text"] == "hello"
        server.tell_to_end("SIGTERM")
        code, seconds, _errors, rest = server.end()
        assert (code, rest) == (0, b"")
        assert seconds < NOT_WAITED


def test_lines_are_cut_wherever_the_chunks_end():
    text = b"one\ntwo\n\nfour"
    for size in range(1, len(text) + 1):
        splitter = LineSplitter(10)
        lines = [
            line for start in range(0, len(text), size) for line in splitter.feed(text[start : start + size])
        ]
        assert [*lines, *splitter.finish()] == [b"one", b"two", b"", b"four"]


def test_a_line_over_the_limit_comes_out_as_nothing_and_the_next_is_whole():
    splitter = LineSplitter(3)
    assert list(splitter.feed(b"abc\nabcd\nab")) == [b"abc", None]
    assert list(splitter.feed(b"cdefgh")) == []
    assert list(splitter.feed(b"\nxyz\n")) == [None, b"xyz"]
    assert list(splitter.finish()) == []
