"""The state: whether it opens, can be written, and belongs to the key that the settings name."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from crm_server.app import configured_state
from crm_server.doctor.context import Context
from crm_server.doctor.outcomes import Outcome, advised, failed, ok, warning
from crm_tools.errors import StateError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from crm_server.state import State
    from crm_server.state.keys import Keys

_NOT_CHANGED = " Nothing was changed in the CRM."
_PROBE = "doctor"


async def state(context: Context) -> Outcome:
    """Whether the state works. One that is not there yet is not made: the server's own user makes it."""
    if context.settings.state is None and context.embedded:
        return ok("in memory, as usual with the embedded sandbox", state="memory")
    kept = configured_state(context.settings, context.now)
    try:
        return await _looked_at(kept, _place(context.settings.state))
    finally:
        kept.close()


async def _looked_at(kept: State, place: str) -> Outcome:
    if kept.in_memory:
        return warning(
            "in memory: budgets, approvals and the audit end with the process",
            "Set DYNAMICS_STATE to a file or a PostgreSQL database.",
        )
    key = kept.key_file
    if key is not None and (problem := _open_to_others(key)) is not None:
        return problem
    if (missing := kept.missing_file) is not None:
        return _to_be_made(Path(missing))
    key_is_there = key is None or key.exists()
    try:
        version, other = await kept.run(lambda connection, keys: _look(connection, keys, key_is_there))
    except StateError as error:
        return _broken(error.message)
    if other:
        return failed(
            "the audit in this state is signed with another key than this server has",
            "Set DYNAMICS_STATE_KEY to the key file of the servers that share the state.",
        )
    if not key_is_there and kept.server is not None:
        return warning(
            f"{place} can be written, but there is no key file {key} yet",
            f"Make one, and give it to all replicas: (umask 077; openssl rand -hex 32 > {key})",
            version=version,
            place=place,
        )
    return ok(f"{place} can be written, version {version}", version=version, place=place)


def _look(connection: Connection, keys: Keys, key_is_there: bool) -> tuple[str, bool]:
    """The version of the tables, and whether the audit is another key's; writes a row and takes it back."""
    from sqlalchemy import delete, insert, select

    from crm_server.state import audit
    from crm_server.state.schema import FACTS

    connection.execute(delete(FACTS).where(FACTS.c.name == _PROBE))
    connection.execute(insert(FACTS).values(name=_PROBE, value=""))
    connection.execute(delete(FACTS).where(FACTS.c.name == _PROBE))
    version = connection.execute(select(FACTS.c.value).where(FACTS.c.name == "version")).scalar()
    signer = audit.signer(connection)
    # A key file that is not there would be made by asking for its keys.
    other = signer is not None and (not key_is_there or keys.named(signer) is None)
    return str(version), other


def _open_to_others(key: Path) -> Outcome | None:
    """The key makes approvals and the audit: whoever reads it can forge them."""
    try:
        mode = key.stat().st_mode
    except FileNotFoundError:
        return None
    except OSError as error:
        return failed(f"the key file {key} cannot be read: {error.strerror}", _KEY_ADVICE)
    if os.name != "nt" and stat.S_IMODE(mode) & 0o077:
        return failed(
            f"the key file {key} is open to other users (mode {stat.S_IMODE(mode):04o})",
            f"Run: chmod 600 {key} - and rotate the key if somebody may have read it.",
        )
    if not os.access(key, os.R_OK):
        return failed(f"the key file {key} cannot be read", _KEY_ADVICE)
    return None


_KEY_ADVICE = (
    "Let the user that the server runs as own and read it (mode 0600), or correct DYNAMICS_STATE_KEY."
)


def _to_be_made(file: Path) -> Outcome:
    folder = next(parent for parent in file.parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        return failed(
            f"there is no state yet, and none can be made in {folder}",
            "Let the user that the server runs as write there, or name another place as DYNAMICS_STATE.",
        )
    return ok(f"{file} is not there yet; the first call makes it", place=str(file))


def _broken(message: str) -> Outcome:
    """What the state says of itself, with what to do about it."""
    said = message.removesuffix(_NOT_CHANGED)
    if "newer version" in said:
        return failed(said, "Run the newest version of the server on every replica.")
    if "damaged" in said:
        return failed(said, "Put the last backup in its place, or name another as DYNAMICS_STATE.")
    if "pip install" in said:
        return advised(said)
    for sign, todo in _ADVICE:
        if sign in said:
            return failed(said, todo)
    return failed(said, "Put that right, or name another place as DYNAMICS_STATE.")


_ADVICE = (
    ("refuses the sign-in", "Set PGPASSWORD, or the file that PGPASSFILE names, to that user's password."),
    ("not there", "Create it at the server (createdb, createuser), or correct DYNAMICS_STATE."),
    ("cannot be reached", "Start PostgreSQL, let this machine reach it, or correct DYNAMICS_STATE."),
)
"""What stands in a message about a database's server, and what to do then."""


def _place(url: str | None) -> str:
    """Where it is, without the password that the address may hold."""
    if url is None or url.startswith("sqlite"):
        return "the file of the state"
    parts: Any = urlsplit(url)
    return f"the database {parts.path.lstrip('/') or '(default)'} at {parts.hostname or 'this machine'}"
