"""What is logged, how, and what never is."""

from __future__ import annotations

import io
import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from crm_server.log import configure_logging
from crm_tools.errors import InputError
from crm_tools.guids import guid


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Closed(io.StringIO):
    tried = 0

    def write(self, _text: str) -> int:
        self.tried += 1
        raise BrokenPipeError


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in ("httpx", "httpcore", "mcp", "msal", "uvicorn")}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture
def stream() -> io.StringIO:
    out = io.StringIO()
    configure_logging("info", out)
    return out


def only_event(stream: io.StringIO) -> dict[str, Any]:
    (line,) = stream.getvalue().splitlines()
    return json.loads(line)


def test_an_event_is_one_json_line_with_time_and_request_id(stream):
    with structlog.contextvars.bound_contextvars(request_id="r1"):
        structlog.get_logger().info("call", tool="list_accounts", note="zwei\nZeilen für Grün")
    event = only_event(stream)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", event.pop("timestamp"))
    assert event == {
        "event": "call",
        "level": "info",
        "request_id": "r1",
        "tool": "list_accounts",
        "note": "zwei\nZeilen für Grün",
    }
    assert "Grün" in stream.getvalue()


STRANGE = 'a\n{"event": "forged"}\r\x1b[31m\x9b31m\x85b\u2028c\u2029d\u202ee\u200bf\x7fg\U000e0001h'
"""Ends lines, for some readers at least, steers terminals, or hides."""


@pytest.mark.parametrize("made", [io.StringIO, Terminal], ids=["file", "terminal"])
def test_what_strangers_write_neither_ends_a_line_nor_steers_a_terminal(made: type[io.StringIO]) -> None:
    out = made()
    configure_logging("info", out)
    for text in (STRANGE, f"{STRANGE}\ud800"):
        structlog.get_logger().warning("refused", name=text, names=[text], facts={"a": text})
        structlog.get_logger().warning(text)
        logging.getLogger("mcp").warning("Invalid: %s", text)
    lines = out.getvalue().splitlines()
    assert len(lines) == 6
    assert all(line.isprintable() for line in lines)
    assert out.getvalue().encode()


def test_what_strangers_write_stays_readable_for_programs(stream: io.StringIO) -> None:
    structlog.get_logger().warning("refused", name=STRANGE, other="Jürgen 久美子")
    event = only_event(stream)
    assert (event["name"], event["other"]) == (STRANGE, "Jürgen 久美子")
    assert "Jürgen 久美子" in stream.getvalue()


def test_events_below_the_level_are_left_out():
    out = io.StringIO()
    configure_logging("warning", out)
    structlog.get_logger().info("quiet")
    structlog.get_logger().warning("loud")
    assert only_event(out)["event"] == "loud"


def test_an_unknown_level_is_refused():
    with pytest.raises(ValueError, match=r"Unknown log level 'loud'; give debug, info"):
        configure_logging("loud")


def test_a_terminal_gets_readable_lines_without_colours():
    out = Terminal()
    configure_logging("info", out)
    structlog.get_logger().info("call", tool="list_accounts")
    assert "tool=list_accounts" in out.getvalue()
    assert "\x1b" not in out.getvalue()


@pytest.mark.parametrize("name", ["client_secret", "access_token", "Authorization", "db_password", "apiKey"])
def test_values_under_names_of_credentials_are_replaced_however_deep(stream, name):
    structlog.get_logger().info("x", **{name: "hunter2"}, deep={"list": [{name: ["hunter2"]}]})
    assert "hunter2" not in stream.getvalue()
    assert only_event(stream)[name] == "[redacted]"


def test_an_object_is_logged_by_its_type_alone(stream):
    class Row:
        def __repr__(self) -> str:
            return "secret value"

    structlog.get_logger().info("x", row=Row())
    assert only_event(stream)["row"] == "Row"


def test_an_exception_is_logged_by_type_and_our_frames_alone(stream):
    try:
        try:
            guid("Contoso's private value", "accountid")
        except Exception as error:
            raise RuntimeError("Contoso's private value") from error
    except RuntimeError:
        structlog.get_logger().exception("failed")
        logging.getLogger("mcp.server").exception("handler raised")
    assert "Contoso" not in stream.getvalue()
    for line in stream.getvalue().splitlines():
        event = json.loads(line)
        assert (event["exception"], event["cause"]) == ("RuntimeError", "InputError")
        assert event["frames"] == []


def test_the_lines_of_this_project_that_an_exception_passed_through_are_named(stream):
    try:
        guid("no id", "accountid")
    except InputError:
        structlog.get_logger().exception("failed")
    assert re.fullmatch(r"crm_tools\.guids:\d+ guid", only_event(stream)["frames"][0])


def test_libraries_are_heard_from_warnings_up(stream):
    logging.getLogger("httpx").info("GET https://contoso.example/accounts?$filter=name eq 'Ann'")
    logging.getLogger("uvicorn.error").info("Started")
    logging.getLogger("mcp").warning("dropped %r", "notifications/x")
    event = only_event(stream)
    assert (event["event"], event["level"], event["logger"]) == (
        "dropped 'notifications/x'",
        "warning",
        "mcp",
    )


def test_a_closed_stderr_ends_nothing():
    closed = Closed()
    configure_logging("info", closed)
    structlog.get_logger().info("unheard")
    logging.getLogger("mcp").warning("unheard")
    assert closed.tried == 2


def test_logging_goes_to_stderr_and_loads_no_rich():
    code = """
import sys
from crm_server.log import configure_logging
import logging, structlog
configure_logging()
structlog.get_logger().info("one")
logging.getLogger("uvicorn").warning("two")
sys.exit("rich was loaded" if "rich" in sys.modules else 0)
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
    assert [json.loads(line)["event"] for line in done.stderr.splitlines()] == ["one", "two"]
