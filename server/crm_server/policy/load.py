"""Finds and reads policy files: the only module of the policy layer that touches the disk."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from crm_server.policy.model import Policy
from crm_server.policy.parse import PolicyTextError, parse_policy
from crm_tools.errors import closest
from crm_tools.tables import Table

PRESETS = ("read-only", "sales-assistant", "full-access")
"""Names of the policies that come with the server."""

_SUFFIX = ".toml"


class PolicyFileError(Exception):
    """A policy cannot be used, so the server must not start.

    ``source`` is the preset or file as it was named, ``problem`` says what to change.
    """

    def __init__(self, source: str, problem: str) -> None:
        super().__init__(f"Policy {source}: {problem}")
        self.source = source
        self.problem = problem


def load_policy(name_or_path: str, tables: Mapping[str, Table]) -> Policy:
    """The preset of this name, or else the policy in the ``.toml`` file at this path.

    ``tables`` are the tables that a policy may speak of, by logical name.

    Raises:
        PolicyFileError: There is no such preset or file, or its text is not a policy.
    """
    try:
        return parse_policy(_read(name_or_path), Path(name_or_path).stem, tables)
    except PolicyTextError as error:
        raise PolicyFileError(name_or_path, str(error)) from None


def _read(name_or_path: str) -> str:
    if name_or_path in PRESETS:
        preset = files("crm_server.policy").joinpath("presets", name_or_path + _SUFFIX)
        return preset.read_text(encoding="utf-8")
    path = Path(name_or_path)
    if not path.is_file():
        raise PolicyFileError(name_or_path, f"There is no such preset or file.{_suggestion(path)}")
    if path.suffix != _SUFFIX:
        raise PolicyFileError(name_or_path, f"A policy file's name ends in {_SUFFIX}.")
    try:
        # Editors on Windows may put a byte order mark in front, which TOML does not know.
        return path.read_text(encoding="utf-8-sig")
    except OSError:
        raise PolicyFileError(name_or_path, "The file cannot be read; check its permissions.") from None
    except UnicodeDecodeError as error:
        raise PolicyFileError(name_or_path, f"The file is not UTF-8 text, at byte {error.start}.") from None


def _suggestion(path: Path) -> str:
    """The preset, or the policy file in the same folder, whose name is closest."""
    try:
        beside = [str(path.with_name(file.name)) for file in path.parent.glob(f"*{_SUFFIX}")]
    except (OSError, ValueError):
        beside = []
    near = closest(str(path), [*PRESETS, *sorted(beside)], most=1)
    ending = f" Did you mean {near[0]}?" if near else ""
    return f"{ending} Presets: {', '.join(PRESETS)}. A file is named by its path and ends in {_SUFFIX}."
