"""Settings: read once from the environment into a frozen object. A misspelt one stops the start."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

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


@dataclass(frozen=True, slots=True)
class Setting:
    """One environment variable: its field, what it is for, and an example for the documentation."""

    variable: str
    field: str
    meaning: str
    example: str


SETTINGS = (
    Setting("DYNAMICS_URL", "url", "Address of the environment", "https://contoso.crm.dynamics.com"),
    Setting(
        "DYNAMICS_PRIVATE_NETWORK",
        "private_network",
        "true if the environment is at a private address, such as behind a private link",
        "true",
    ),
    Setting("DYNAMICS_AUTH", "auth", "How to sign in", "client-secret"),
    Setting("DYNAMICS_CLOUD", "cloud", "Microsoft's cloud; told by the address unless set", "gcc-high"),
    Setting(
        "DYNAMICS_AUTHORITY",
        "authority",
        "Where to sign in; told by the cloud unless set",
        "https://login.microsoftonline.com",
    ),
    Setting("DYNAMICS_TENANT_ID", "tenant_id", "Directory (tenant) id or domain", "contoso.onmicrosoft.com"),
    Setting("DYNAMICS_CLIENT_ID", "client_id", "Application (client) id", "a GUID"),
    Setting("DYNAMICS_CLIENT_SECRET", "client_secret", "Client secret of the application", "its value"),
    Setting(
        "DYNAMICS_CERTIFICATE", "certificate", "File with certificate and private key, PEM or PFX", "app.pem"
    ),
    Setting("DYNAMICS_CERTIFICATE_PASSWORD", "certificate_password", "Password of that file", "its value"),
    Setting("DYNAMICS_TOKEN_COMMAND", "token_command", "Program that prints a token", "get-token --crm"),
    Setting("DYNAMICS_POLICY", "policy", "Preset or policy file", "read-only"),
    Setting(
        "DYNAMICS_ROLES", "roles", "Roles of the caller on this machine, for rules with roles", "sales,lead"
    ),
    Setting(
        "DYNAMICS_STATE",
        "state",
        "Where budgets, plans, journal and audit are kept: a file, postgresql://..., or memory",
        "postgresql://crm@db/crm",
    ),
    Setting(
        "DYNAMICS_STATE_KEY",
        "state_key",
        "Key file of the state; the same for all servers that share it",
        "state.key",
    ),
    Setting(
        "DYNAMICS_KEEP_CHANGES_DAYS",
        "keep_changes_days",
        "Days that changes can be listed and undone; 90 unless set",
        "30",
    ),
    Setting(
        "DYNAMICS_KEEP_AUDIT_DAYS", "keep_audit_days", "Days that the audit is kept; always unless set", "400"
    ),
    Setting(
        "DYNAMICS_TOOLSETS",
        "toolsets",
        "Toolsets to offer; spec, sales, insight and changes unless set",
        "compact,changes",
    ),
    Setting(
        "DYNAMICS_TABLES",
        "tables",
        "Tables to offer tools for, as the environment describes them; the four standard ones unless set",
        "account,contact,new_project",
    ),
    Setting(
        "DYNAMICS_TIME_ZONE",
        "time_zone",
        "Time zone of those who ask; times without one are meant in it, and shown in it",
        "Europe/Berlin",
    ),
    Setting(
        "DYNAMICS_LOCALE",
        "locale",
        "How those who ask write numbers, amounts and dates; plain numbers and ISO dates unless set",
        "de-DE",
    ),
    Setting(
        "DYNAMICS_FILES",
        "files",
        "Folder that imports read CSV files from and exports write to; none unless set",
        "/srv/crm-files",
    ),
    Setting("DYNAMICS_LOG_LEVEL", "log_level", "debug, info, warning or error", "info"),
)
"""Every setting there is. README's table is made from it."""


UTC_ZONE = ZoneInfo("UTC")


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
    log_level: str = "info"


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
    if values.get("auth") == "workload-identity":
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


_READ: Mapping[str, Callable[[str], Any]] = {
    "roles": lambda text: frozenset(name.strip() for name in text.split(",") if name.strip()),
    "state": state_url,
    "tables": table_names,
    "time_zone": _zone,
    "locale": _locale,
    "files": _folder,
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
