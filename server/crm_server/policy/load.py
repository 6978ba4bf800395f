"""Finds and reads policy files: the only module of the policy layer that touches the disk."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

from crm_server.policy.keys import PRESETS
from crm_server.policy.model import Policy
from crm_server.policy.parse import parse_part
from crm_server.policy.parts import Part, extended
from crm_server.policy.problems import PolicyTextError, unknown
from crm_server.policy.sense import check_sense
from crm_tools.errors import closest
from crm_tools.tables import Table

_SUFFIX = ".toml"


LONGEST_CHAIN = 5
"""How many files may extend each other below the first."""


class PolicyFileError(Exception):
    """A policy cannot be used, so the server must not start.

    ``source`` is the preset or file as it was named, ``line`` the line in it where it is known, and
    ``problem`` says what to change. ``kind`` says what the file is.
    """

    def __init__(self, source: str, problem: str, line: int | None = None, kind: str = "Policy") -> None:
        place = source if line is None else f"{source}, line {line}"
        super().__init__(f"{kind} {place}: {problem}")
        self.source = source
        self.problem = problem
        self.line = line


def load_policy(name_or_path: str, tables: Mapping[str, Table]) -> Policy:
    """The preset of this name, or else the policy in the ``.toml`` file at this path, with all it extends.

    ``tables`` are the tables that a policy may speak of, by logical name.

    Raises:
        PolicyFileError: There is no such preset or file, or its text is not a policy.
    """
    texts = {name_or_path: read_text(name_or_path)}
    part = _part(name_or_path, (), texts, tables)
    with placed(name_or_path, texts):
        check_sense(part)
    return replace(part.policy(Path(name_or_path).stem), digest=_digest(texts.values()))


def _digest(texts: Iterable[str]) -> str:
    """Of a policy's text and those that it extends, in their order; not of where they are."""
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:12]


@contextmanager
def placed(source: str, texts: Mapping[str, str], kind: str = "Policy") -> Iterator[None]:
    """Turns what is wrong with a text into an error that names its file and line."""
    try:
        yield
    except PolicyTextError as error:
        source = error.source or source
        line = error.line
        if line is None and error.path:
            from crm_server.policy.placing import line_of

            line = line_of(texts[source], error.path)
        raise PolicyFileError(source, error.problem, line, kind) from None


def _part(source: str, above: tuple[str, ...], texts: dict[str, str], tables: Mapping[str, Table]) -> Part:
    """What a file says with all that it extends. ``above`` are the files that led here."""
    with placed(source, texts):
        own = parse_part(texts[source], source, tables)
        base = None
        if own.extends is not None:
            name = _base(source, own.extends, above)
            texts[name] = _base_text(name)
            base = _part(name, (*above, source), texts, tables)
        return extended(base, own)


def _base(source: str, extends: str, above: tuple[str, ...]) -> str:
    """The preset or file that a file builds on; a file is named from the folder of the one that names it."""
    if extends not in PRESETS and not extends.endswith(_SUFFIX):
        raise unknown("preset", extends, PRESETS, ("extends",), f"A file's name ends in {_SUFFIX}. ")
    name = extends if extends in PRESETS else str(Path(source).parent / extends)
    chain = (*above, source)
    if _same(name) in map(_same, chain):
        raise PolicyTextError(f"extends goes in a circle: {' -> '.join((*chain, name))}.", ("extends",))
    if len(chain) > LONGEST_CHAIN:
        raise PolicyTextError(
            f"extends goes too deep: at most {LONGEST_CHAIN} policies may extend each other.", ("extends",)
        )
    return name


def _same(name: str) -> str:
    return name if name in PRESETS else str(Path(name).resolve())


def _base_text(name: str) -> str:
    try:
        return read_text(name)
    except PolicyFileError as error:
        raise PolicyTextError(f"extends {name}: {error.problem}", ("extends",)) from None


def read_text(name_or_path: str) -> str:
    """The text of a preset or file.

    Raises:
        PolicyFileError: There is none, or it cannot be read.
    """
    if name_or_path in PRESETS:
        preset = files("crm_server.policy").joinpath("presets", name_or_path + _SUFFIX)
        return preset.read_text(encoding="utf-8")
    path = Path(name_or_path)
    if not _is_file(path):
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


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # such as a name that is too long
        return False


def _suggestion(path: Path) -> str:
    """The preset, or the policy file in the same folder, whose name is closest."""
    try:
        beside = [str(path.with_name(file.name)) for file in path.parent.glob(f"*{_SUFFIX}")]
    except (OSError, ValueError):
        beside = []
    near = closest(str(path), [*PRESETS, *sorted(beside)], most=1)
    ending = f" Did you mean {near[0]}?" if near else ""
    return f"{ending} Presets: {', '.join(PRESETS)}. A file is named by its path and ends in {_SUFFIX}."
