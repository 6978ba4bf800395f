"""Logging: structured lines on stderr, never on stdout, which belongs to the protocol.

On a terminal a line is made to be read, elsewhere it is one JSON object. Values under names that look like
credentials are replaced, and an exception is logged as its type and the lines of this project it passed
through: its text and its local variables may hold what somebody keeps in their CRM.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from types import TracebackType
from typing import Any, TextIO, cast


def _import_structlog() -> None:
    """Imports structlog without rich, which it takes along where installed, for a quarter of a second.

    Rich would only draw tracebacks, and those are not logged.
    """
    if "structlog" in sys.modules or "rich" in sys.modules:
        return
    sys.modules["rich"] = cast("Any", None)  # The import system's way to say that a module is not there.
    try:
        import structlog  # noqa: F401 - imported for the effect on sys.modules
    finally:
        del sys.modules["rich"]


_import_structlog()

import structlog  # noqa: E402 - must come after the import above
from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger  # noqa: E402 - as above

REDACTED = "[redacted]"
_SECRET_NAME = re.compile(
    r"secret|token|passw(or)?d|authorization|credential|cookie|assertion|api_?key", re.IGNORECASE
)
_OUR_PACKAGES = ("crm_server", "crm_tools", "crm_prompts", "crm_sandbox")


def get_logger(name: str) -> structlog.typing.FilteringBoundLogger:
    """A logger of ours. Loggers are had from here, so that structlog is imported as above."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(source=name)
    return logger


def bound(**values: str) -> AbstractContextManager[None]:
    """Adds the values to every line that is logged inside."""
    return cast("AbstractContextManager[None]", structlog.contextvars.bound_contextvars(**values))


def configure_logging(level: str = "info", stream: TextIO | None = None) -> None:
    """Sends all logging of the process to ``stream`` (stderr if not given).

    ``level`` holds for this project's own events. Libraries that use :mod:`logging` are heard from warnings
    up: below that, httpx alone would write out every address with the filter in it.

    Raises:
        ValueError: No such level.
    """
    numbers = logging.getLevelNamesMapping()
    if level.upper() not in numbers:
        raise ValueError(f"Unknown log level {level!r}; give debug, info, warning or error.")
    output = _PatientStream(stream or sys.stderr)
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _describe_exception,
        redact,
    ]
    renderer = _renderer(output)
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(numbers[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(file=cast("TextIO", output)),
        cache_logger_on_first_use=False,
    )
    _route_libraries(output, shared, renderer)


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replaces values under names that look like credentials, however deep."""
    return {name: _redacted(name, value) for name, value in event.items()}


class _PatientStream:
    """A stream whose failures end nothing: a host may close stderr, and calls still have to be answered."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()

    def isatty(self) -> bool:
        return self._stream.isatty()


def _renderer(output: _PatientStream) -> Processor:
    if output.isatty():
        return _on_one_line(structlog.dev.ConsoleRenderer(colors=False))
    return structlog.processors.JSONRenderer(
        serializer=_json,
        ensure_ascii=False,
        # The type, not repr(): a value of ours may print a row.
        default=lambda value: type(value).__name__,
    )


def _on_one_line(renderer: Processor) -> Processor:
    """Has the event itself escaped as the renderer does with values: libraries put others' text into it."""

    def render(logger: WrappedLogger, method: str, event: EventDict) -> Any:
        return renderer(logger, method, {**event, "event": _escaped(str(event.get("event", "")))})

    return render


def _json(value: Any, **options: Any) -> str:
    return _escaped(json.dumps(value, **options))


def _escaped(text: str) -> str:
    """The text without what steers a terminal, ends a line for some reader, hides, or cannot be written.

    JSON itself leaves most of that as it is; its escapes are good in it too.
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else json.dumps(one)[1:-1] for one in text)


def _route_libraries(output: _PatientStream, shared: list[Processor], renderer: Processor) -> None:
    handler = logging.StreamHandler(cast("TextIO", output))
    handler.setLevel(logging.WARNING)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *shared, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    # A library that gave its logger a level of its own would get past the root's.
    for name in ("httpx", "httpcore", "mcp", "msal", "uvicorn"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _redacted(name: str, value: Any) -> Any:
    if _SECRET_NAME.search(name):
        return REDACTED
    if isinstance(value, Mapping):
        return {key: _redacted(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted("", item) for item in value]
    return value


def _describe_exception(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Puts the exception's type, our frames and its cause in place of ``exc_info``."""
    given: ExcInfo | BaseException | bool | None = event.pop("exc_info", None)
    error: BaseException | None
    if isinstance(given, tuple):
        error = given[1]
    elif isinstance(given, BaseException):
        error = given
    else:
        error = sys.exception() if given else None
    if error is not None:
        event["exception"] = type(error).__name__
        event["frames"] = _our_frames(error.__traceback__)
        if cause := error.__cause__ or error.__context__:
            event["cause"] = type(cause).__name__
    return event


def _our_frames(traceback: TracebackType | None) -> list[str]:
    frames: list[str] = []
    while traceback is not None:
        frame = traceback.tb_frame
        module = str(frame.f_globals.get("__name__", ""))
        if module.partition(".")[0] in _OUR_PACKAGES:
            frames.append(f"{module}:{traceback.tb_lineno} {frame.f_code.co_name}")
        traceback = traceback.tb_next
    return frames
