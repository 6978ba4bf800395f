"""The command line. Each command imports what it needs itself, so that ``serve`` starts fast.

Exit codes: 0 done, 1 the command failed, 2 the command line, a setting or the policy is wrong.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from crm_server import __version__
from crm_server.metering import UNMETERED, Meter
from crm_server.policy_commands import add_policy_commands
from crm_server.settings import DEFAULT_POLICY, Settings, SettingsError, read_settings
from crm_server.setup_commands import add_setup_commands
from crm_server.state_commands import add_commands as add_state_commands
from crm_tools.errors import CrmError

if TYPE_CHECKING:
    from pathlib import Path

    from crm_server.app import Application

OK, FAILED, USAGE = 0, 1, 2


def run(arguments: Sequence[str]) -> int:
    """Run a command and return its exit code."""
    from crm_server.policy.load import PolicyFileError

    options = _parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except (SettingsError, PolicyFileError) as error:
        return _complain(str(error), USAGE)
    except CrmError as error:
        return _complain(error.message, USAGE)
    except KeyboardInterrupt:
        return OK
    except BrokenPipeError:
        # Whoever reads this, such as head, has read enough. Python would complain once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK


def _complain(message: str, code: int) -> int:
    sys.stderr.write(f"dynamics-crm-mcp: {message}\n")
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dynamics-crm-mcp",
        description="Lets AI assistants work in Microsoft Dynamics 365 / Dataverse through MCP tools, "
        "limited by a policy. Start with: dynamics-crm-mcp demo",
    )
    parser.add_argument("--version", action="version", version=f"dynamics-crm-mcp {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", help="serve MCP to an assistant")
    serve.add_argument("--transport", choices=("stdio", "sse", "http"), default="stdio")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    serve.add_argument("--port", type=_port, default=8321, help="port for sse and http, 0 for a free one")
    serve.add_argument(
        "--sandbox", action="store_true", help="use the embedded CRM instead of an environment"
    )
    serve.add_argument(
        "--table", type=_path, action="append", default=[], help="with --sandbox: a table file of your own"
    )
    _common(serve)
    serve.set_defaults(command=_serve)

    demo = commands.add_parser("demo", help="see an assistant work in the embedded CRM, no tenant needed")
    demo.add_argument("--json", action="store_true", help="print JSON lines")
    demo.set_defaults(command=_demo)

    login = commands.add_parser("login", help="sign in to the environment, and say as whom")
    login.set_defaults(command=_login, policy=None, toolsets=None)

    logout = commands.add_parser("logout", help="forget the sign-in of a person that is kept on this machine")
    logout.set_defaults(command=_logout)

    sandbox = commands.add_parser("sandbox", help="run the embedded CRM as a Dataverse Web API of its own")
    _sandbox_options(sandbox)
    sandbox.set_defaults(command=_sandbox)

    add_state_commands(commands, _settings)
    add_policy_commands(commands, _common, _settings)
    add_setup_commands(commands, _common, _settings)
    return parser


def _sandbox_options(parser: argparse.ArgumentParser) -> None:
    from pathlib import Path

    add = parser.add_argument
    add("--port", type=_port, default=8322, help="port to listen on, 0 for a free one")
    add("--rows", type=_count, help="accounts of the sample company, the rest in proportion (default 200)")
    add("--seed", type=int, help="another seed makes another company")
    add("--file", type=Path, help="keep the data in this SQLite file")
    add("--reset", action="store_true", help="with --file: begin with the sample company again")
    add("--table", type=_path, action="append", default=[], help="a table file of your own; can be repeated")
    add(
        "--tls",
        type=Path,
        nargs="?",
        const=Path("sandbox-tls"),
        metavar="FOLDER",
        help="serve HTTPS and ask for tokens; certificates are made in FOLDER (default sandbox-tls)",
    )
    add("--latency-ms", type=_milliseconds, default=0, help="milliseconds added to each request")
    add("--faults", type=Path, help="a fault script (TOML or JSON): what goes wrong, and when")
    add("--limit-requests", type=_count, help="service protection: requests in 300 seconds")
    add("--limit-seconds", type=_count, help="service protection: seconds of execution in 300 seconds")
    add("--limit-concurrent", type=_count, help="service protection: concurrent requests")
    add("--control", action="store_true", help="offer the control endpoint /sandbox/")


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--policy", help=f"preset or TOML file (default {DEFAULT_POLICY})")
    parser.add_argument(
        "--toolsets", help="toolsets to offer, separated by commas (default: spec, sales, insight, changes)"
    )


def _path(text: str) -> Path:
    from pathlib import Path

    return Path(text)


def _port(text: str) -> int:
    try:
        port = int(text)
    except ValueError:
        port = -1
    if not 0 <= port <= 65_535:
        raise argparse.ArgumentTypeError(f"a port is a number from 0 to 65535, not {text!r}")
    return port


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 10_000_000:
        raise argparse.ArgumentTypeError(f"a whole number from 1 to 10000000 is expected, not {text!r}")
    return int(text)


def _milliseconds(text: str) -> int:
    if not text.isdecimal() or int(text) > 60_000:
        raise argparse.ArgumentTypeError(f"milliseconds from 0 to 60000 are expected, not {text!r}")
    return int(text)


def _settings(options: argparse.Namespace) -> Settings:
    from crm_tools.toolsets import TOOLSETS

    return read_settings(os.environ, TOOLSETS, policy=options.policy, toolsets=options.toolsets)


def _serve(options: argparse.Namespace) -> int:
    import anyio

    from crm_server.ending import CannotServeError
    from crm_server.log import configure_logging
    from crm_server.protocol import build_server
    from crm_server.reloading import reloaded_on_hangup
    from crm_server.replicas import hearing_of_others
    from crm_server.tracing import start_tracing
    from crm_server.transports import serve_stdio

    settings = _settings(options)
    if settings.auth == "on-behalf-of" and options.transport == "stdio" and not options.sandbox:
        raise SettingsError(
            "DYNAMICS_AUTH=on-behalf-of needs callers with tokens: serve with --transport http."
        )
    configure_logging(settings.log_level)
    application = _application(settings, options)
    server = build_server(application)
    end_tracing = start_tracing(os.environ)

    async def serve() -> None:
        try:
            with reloaded_on_hangup(application.reload_policy):
                async with hearing_of_others(application):
                    await serve_chosen()
        finally:
            await application.aclose()

    async def serve_chosen() -> None:
        if options.transport == "stdio":
            if sys.stdin.isatty():
                sys.stderr.write("Waiting for an MCP client on standard input. Ctrl-D ends.\n")
            await serve_stdio(server)
        else:
            await _over_http(settings, options, application, server)

    try:
        anyio.run(serve, backend_options={"use_uvloop": options.transport != "stdio" and _has_uvloop()})
    except CannotServeError as error:
        return _complain(str(error), USAGE)
    finally:
        end_tracing()
    return OK


async def _over_http(
    settings: Settings, options: argparse.Namespace, application: Application, server: Any
) -> None:
    from crm_server.transports import serve_http, serve_sse
    from crm_server.web.configured import metrics_of, options_of, team_of

    sse = options.transport == "sse"
    metrics = metrics_of(application)
    web = options_of(settings, options.host, options.port, sse=sse, metrics=metrics)
    team = team_of(settings, application, web.path)

    def announce(url: str) -> None:
        _announce(url)
        if team is not None:
            page = f"; changes are approved at {settings.page_url}" if settings.page_url else ""
            _tell(f"Clients call {settings.public_url}{web.path}{page}")

    await (serve_sse if sse else serve_http)(server, web, announce, team)


def _has_uvloop() -> bool:
    """Whether the faster event loop is there, which is not to be had on Windows."""
    from importlib.util import find_spec

    return find_spec("uvloop") is not None


def _application(settings: Settings, options: argparse.Namespace) -> Application:
    """The application. Named tables that were never described are read first, so that they are on offer."""
    import anyio

    from crm_server.app import NOTHING_LEARNED, build_application, learn_first, needs_learning

    if options.table and not options.sandbox:
        raise SettingsError("--table describes a table of the embedded CRM; it goes with --sandbox.")
    asgi_app = None
    if options.sandbox and (options.table or settings.tables):
        from crm_sandbox import create_app
        from crm_sandbox.schema.files import TableFileError

        try:
            asgi_app = create_app(tables=options.table)
        except TableFileError as error:
            raise SettingsError(str(error)) from None
    learned = NOTHING_LEARNED
    if needs_learning(settings, sandbox=options.sandbox):
        learned = anyio.run(learn_first, settings, asgi_app)
    return build_application(
        settings, sandbox=options.sandbox, asgi_app=asgi_app, learned=learned, meter=_meter(settings, options)
    )


def _meter(settings: Settings, options: argparse.Namespace) -> Meter:
    """What measures calls. Over stdio nobody could ask it."""
    if options.transport == "stdio":
        return UNMETERED
    from crm_server.web.configured import meter_of

    return meter_of(settings)


def _announce(url: str) -> None:
    _tell(f"Ready at {url}")


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _login(options: argparse.Namespace) -> int:
    import anyio

    from crm_server.login import login

    sys.stderr.write(anyio.run(login, _settings(options)) + "\n")
    return OK


def _logout(_options: argparse.Namespace) -> int:
    from crm_server.sign_in.storage import forget, token_file

    found = forget(token_file())
    sys.stderr.write("Signed out.\n" if found else "Nobody was signed in.\n")
    return OK


def _demo(options: argparse.Namespace) -> int:
    import anyio

    from crm_server.demo import run_demo

    return anyio.run(run_demo, options.json)


def _sandbox(options: argparse.Namespace) -> int:
    import anyio

    from crm_sandbox import DEFAULT_ACCOUNTS, DEFAULT_SEED
    from crm_sandbox.hosting import Options, Ready, serve
    from crm_sandbox.opening import StoreFileError
    from crm_sandbox.schema.files import TableFileError
    from crm_sandbox.trouble import FaultScriptError

    def announce(ready: Ready) -> None:
        _announce(f"{ready.address}/api/data/v9.2")
        known = {"DYNAMICS_URL": ready.address, **ready.environment}
        if ready.ca_file is not None:
            sys.stderr.write(f"Its certificate is from the authority in {ready.ca_file}\n")
            # httpx reads the one, the sign-in library's requests the other.
            known |= dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"), str(ready.ca_file))
        words = " ".join(f"{name}={value}" for name, value in known.items())
        sys.stderr.write(f"Point the server at it: {words}\n")
        sys.stderr.flush()

    chosen = Options(
        port=options.port,
        tls=options.tls,
        seed=DEFAULT_SEED if options.seed is None else options.seed,
        accounts=options.rows or DEFAULT_ACCOUNTS,
        path=options.file,
        tables=tuple(options.table),
        latency_ms=options.latency_ms,
        faults=options.faults,
        limit_requests=options.limit_requests,
        limit_seconds=options.limit_seconds,
        limit_concurrent=options.limit_concurrent,
        control=options.control,
        reset=options.reset,
    )

    async def listen() -> None:
        await serve(chosen, announce)

    try:
        anyio.run(listen)
    except (TableFileError, StoreFileError, FaultScriptError) as error:
        return _complain(str(error), USAGE)
    except OSError as error:
        where = error.filename or f"port {options.port}"
        return _complain(f"cannot use {where}: {error.strerror}", USAGE)
    return OK
