"""Settings: read once from the environment into a frozen object. A misspelt one stops the start."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from crm_server.settings_table import SETTINGS
from crm_tools.errors import closest

if TYPE_CHECKING:
    from collections.abc import Iterable

PREFIX = "DYNAMICS_"
DEFAULT_POLICY = "sales-assistant"
CLOUDS = ("public", "gcc", "gcc-high", "dod", "china")
LOG_LEVELS = ("debug", "info", "warning", "error")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class SettingsError(Exception):
    """A setting is unknown, missing or wrong. The message says what to change."""


UTC_ZONE = ZoneInfo("UTC")
APPROVE, SEE = "approve", "see"
PAGE_ROLES = {"CRM.Approver": APPROVE, "CRM.Auditor": SEE}
"""Who may approve on the page, and who may only see it, unless that is set."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the server was told. ``toolsets`` is None for the usual ones."""

    url: str | None = None
    private_network: bool = False
    auth: str = "client-secret"
    cloud: str | None = None
    authority: str | None = None
    tenant_id: str | None = None
    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    certificate: str | None = None
    certificate_password: str | None = field(default=None, repr=False)
    token_command: str | None = field(default=None, repr=False)
    federated_token_file: str | None = None
    policy: str = DEFAULT_POLICY
    roles: frozenset[str] = frozenset()
    state: str | None = field(default=None, repr=False)
    state_key: str | None = None
    keep_changes_days: int = 90
    keep_audit_days: int | None = None
    toolsets: tuple[str, ...] | None = None
    tables: tuple[str, ...] = ()
    time_zone: ZoneInfo = UTC_ZONE
    locale: str | None = None
    files: Path | None = None
    public_url: str | None = None
    callers_issuer: str | None = None
    callers_audience: tuple[str, ...] = ()
    callers_tenants: frozenset[str] = frozenset()
    callers_services: Mapping[str, str] = field(default_factory=dict)
    callers_name: str | None = None
    callers_file: Path | None = None
    page_client_id: str | None = None
    page_client_secret: str | None = field(default=None, repr=False)
    page_roles: Mapping[str, str] = field(default_factory=lambda: dict(PAGE_ROLES))
    page_undo: bool = False
    approve_on_page: bool = False
    approve_own: bool = False
    origins: tuple[str, ...] = ()
    sessions: str | None = None
    calls: int = 64
    calls_of_one: int = 8
    drain_seconds: int | None = None
    metrics: bool = False
    log_level: str = "info"

    @property
    def page_url(self) -> str | None:
        """Address of the page for approvals; None where there is none."""
        on = self.page_client_id is not None or self.callers_file is not None
        return f"{self.public_url}/approvals" if on and self.public_url is not None else None


def read_settings(environ: Mapping[str, str], known_toolsets: Iterable[str], **flags: str | None) -> Settings:
    """Settings from the environment; ``flags`` from the command line win where they are given.

    Raises:
        SettingsError: An unknown ``DYNAMICS_`` variable, or a value that cannot be right.
    """
    known = {setting.variable: setting.field for setting in SETTINGS}
    for name in environ:
        if name.upper().startswith(PREFIX) and name not in known:
            raise SettingsError(f"Unknown setting {name}.{did_you_mean(name, known)}")
    values = {
        known[name]: value.strip() for name, value in environ.items() if name in known and value.strip()
    }
    values |= {name: value for name, value in flags.items() if value is not None}
    if values.get("auth") in ("workload-identity", "on-behalf-of"):
        values = {**_platform(environ), **values}
    toolsets = _toolsets(values.pop("toolsets", None), list(known_toolsets))
    if (url := values.get("url")) is not None:
        values["url"] = environment_url(url)
    if (cloud := values.get("cloud")) is not None and cloud not in CLOUDS:
        raise SettingsError(f"Unknown DYNAMICS_CLOUD {cloud!r}.{did_you_mean(cloud, CLOUDS)}")
    if (authority := values.get("authority")) is not None:
        values["authority"] = authority_url(authority)
    if (level := values.get("log_level", "info")) not in LOG_LEVELS:
        raise SettingsError(f"Unknown log level {level!r}.{did_you_mean(level, LOG_LEVELS)}")
    private = _yes_or_no("DYNAMICS_PRIVATE_NETWORK", values.pop("private_network", "false"))
    others: dict[str, Any] = {name: _READ.get(name, str)(value) for name, value in values.items()}
    return Settings(**others, toolsets=toolsets, private_network=private)


def state_url(text: str) -> str:
    """The address of the state's database; a path is one of an SQLite file, ``memory`` ends with the process.

    Raises:
        SettingsError: It is none that is known.
    """
    if text == "memory":
        return "sqlite://"
    scheme, separator, _ = text.partition("://")
    if not separator:
        return f"sqlite:///{Path(text).expanduser().absolute()}"
    try:
        known = scheme in ("sqlite", "postgresql", "postgres") and urlsplit(text).port != 0
    except ValueError:
        known = False
    if not known:
        raise SettingsError("DYNAMICS_STATE is a file, postgresql://user@host/database, or memory.")
    return text


def _days(variable: str) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isdecimal() or not 0 < int(text) <= 36_500:
            raise SettingsError(f"{variable} is a number of days from 1 to 36500.")
        return int(text)

    return read


def table_names(text: str) -> tuple[str, ...]:
    """Logical names of tables, each once.

    Raises:
        SettingsError: One could not be the name of a table.
    """
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    for name in names:
        if not _TABLE_NAME.fullmatch(name):
            raise SettingsError(
                f"DYNAMICS_TABLES takes logical names such as account or new_project, not {name[:80]!r}."
            )
    return names


_TABLE_NAME = re.compile(r"[a-z][a-z0-9_]{0,127}")


def _zone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise SettingsError(
            f"DYNAMICS_TIME_ZONE is a name such as Europe/Berlin, not {text[:80]!r}."
        ) from None


def _locale(text: str) -> str:
    # Loaded only where the setting is used.
    from babel import Locale, UnknownLocaleError, localedata

    try:
        Locale.parse(text, sep="-")
    except (UnknownLocaleError, ValueError, TypeError):
        known = [name.replace("_", "-") for name in localedata.locale_identifiers()]
        near = closest(text.replace("_", "-"), known, most=1)
        hint = f" Did you mean {near[0]}?" if near else " An example is de-DE."
        raise SettingsError(f"DYNAMICS_LOCALE knows no {text[:80]!r}.{hint}") from None
    return text


def _folder(text: str) -> Path:
    folder = Path(text).expanduser().absolute()
    if not folder.is_dir():
        raise SettingsError("DYNAMICS_FILES is a folder that exists.")
    return folder


def _listed(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(item.strip() for item in text.split(",") if item.strip()))


def _services(text: str) -> dict[str, str]:
    pairs = [item.partition("=") for item in _listed(text)]
    if not all(client.strip() and role.strip() for client, _, role in pairs):
        raise SettingsError(
            "DYNAMICS_CALLERS_SERVICES is a client id with its role, such as GUID=Integration, and more of "
            "them after commas."
        )
    return {client.strip(): role.strip() for client, _, role in pairs}


def _page_roles(text: str) -> dict[str, str]:
    pairs = [(role.strip(), may.strip()) for role, _, may in (item.rpartition("=") for item in _listed(text))]
    if not pairs or not all(role and may in (APPROVE, SEE) for role, may in pairs):
        raise SettingsError(
            "DYNAMICS_PAGE_ROLES is a role or group with what it may do, such as "
            "CRM.Approver=approve,CRM.Auditor=see."
        )
    return dict(pairs)


def _https(variable: str) -> Callable[[str], str]:
    """Reads an https address without a query; http is taken for this machine only."""

    def read(text: str) -> str:
        if not _is_https(text):
            raise SettingsError(f"{variable} is an https address, such as https://crm-mcp.contoso.example.")
        return text.rstrip("/")

    return read


def _is_https(text: str) -> bool:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        # Brackets that do not close, or a port that is none.
        return False
    secure = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    more = parts.username or parts.query or parts.fragment
    return secure and bool(parts.hostname) and port != 0 and not more


def _origins(text: str) -> tuple[str, ...]:
    return tuple(_https("DYNAMICS_ORIGINS")(item) for item in _listed(text))


def _sessions(text: str) -> str:
    if text not in SESSIONS:
        raise SettingsError(f"DYNAMICS_SESSIONS is {' or '.join(SESSIONS)}.")
    return text


SESSIONS = ("stateful", "stateless")


def _count(variable: str, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isdecimal() or not 0 < int(text) <= most:
            raise SettingsError(f"{variable} is a whole number from 1 to {most:,}.")
        return int(text)

    return read


_READ: Mapping[str, Callable[[str], Any]] = {
    "roles": lambda text: frozenset(name.strip() for name in text.split(",") if name.strip()),
    "state": state_url,
    "tables": table_names,
    "time_zone": _zone,
    "locale": _locale,
    "files": _folder,
    "public_url": _https("DYNAMICS_PUBLIC_URL"),
    "callers_issuer": _https("DYNAMICS_CALLERS_ISSUER"),
    "callers_audience": _listed,
    "callers_tenants": lambda text: frozenset(_listed(text)),
    "callers_services": _services,
    "callers_file": lambda text: Path(text).expanduser(),
    "page_roles": _page_roles,
    "page_undo": lambda text: _yes_or_no("DYNAMICS_PAGE_UNDO", text),
    "approve_on_page": lambda text: _yes_or_no("DYNAMICS_APPROVE_ON_PAGE", text),
    "approve_own": lambda text: _yes_or_no("DYNAMICS_APPROVE_OWN", text),
    "origins": _origins,
    "sessions": _sessions,
    "calls": _count("DYNAMICS_CALLS", 10_000),
    "calls_of_one": _count("DYNAMICS_CALLS_OF_ONE", 10_000),
    "drain_seconds": _count("DYNAMICS_DRAIN_SECONDS", 3_600),
    "metrics": lambda text: _yes_or_no("DYNAMICS_METRICS", text),
    "keep_changes_days": _days("DYNAMICS_KEEP_CHANGES_DAYS"),
    "keep_audit_days": _days("DYNAMICS_KEEP_AUDIT_DAYS"),
}
"""How settings that are not just texts are read."""


def _yes_or_no(variable: str, text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise SettingsError(f"{variable} must be true or false.")
    return text.lower() == "true"


# What Azure's platforms set for a workload.
# https://azure.github.io/azure-workload-identity/docs/topics/service-account-labels-and-annotations.html
_PLATFORM = {
    "AZURE_TENANT_ID": "tenant_id",
    "AZURE_CLIENT_ID": "client_id",
    "AZURE_FEDERATED_TOKEN_FILE": "federated_token_file",
    "AZURE_AUTHORITY_HOST": "authority",
}


def _platform(environ: Mapping[str, str]) -> dict[str, str]:
    return {
        field: environ[name].strip() for name, field in _PLATFORM.items() if environ.get(name, "").strip()
    }


def environment_url(text: str) -> str:
    """The environment's root address, without a path.

    Raises:
        SettingsError: Not an https address (http is taken for this machine only), or it holds credentials.
    """
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise SettingsError("DYNAMICS_URL is not an address.") from None
    if parts.username is not None or parts.password is not None:
        raise SettingsError("DYNAMICS_URL must not hold a user name or password; use the sign-in settings.")
    loopback = parts.hostname in _LOOPBACK
    if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and loopback)):
        raise SettingsError(
            "DYNAMICS_URL must be the https address of an environment, such as https://contoso.crm.dynamics.com."
        )
    if parts.path.rstrip("/") not in ("", "/api/data/v9.2") or parts.query or parts.fragment:
        raise SettingsError("DYNAMICS_URL must end after the host, such as https://contoso.crm.dynamics.com.")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{port}" if port is not None else "")


def authority_url(text: str) -> str:
    """The address of a sign-in service, without a path.

    Raises:
        SettingsError: It is none that could be signed in at.
    """
    parts = urlsplit(text.rstrip("/"))
    if parts.scheme != "https" or not parts.hostname or parts.username or parts.path or parts.query:
        raise SettingsError(
            "DYNAMICS_AUTHORITY must be an https address without a path, such as https://login.microsoftonline.com."
        )
    return f"https://{parts.netloc}"


def _toolsets(text: str | None, known: list[str]) -> tuple[str, ...] | None:
    if text is None:
        return None
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        if name not in known:
            raise SettingsError(f"Unknown toolset {name!r}.{did_you_mean(name, known)}")
    if not names:
        raise SettingsError(f"No toolset is named. Known: {', '.join(known)}.")
    return names


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: the closest known one, or all of them."""
    names = list(known)
    near = closest(name, names, most=1)
    return f" Did you mean {near[0]}?" if near else f" Known: {', '.join(names)}."
