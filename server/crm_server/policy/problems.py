"""What is wrong with the text of a policy, and where in it."""

from __future__ import annotations

from collections.abc import Iterable

from crm_tools.errors import UnknownNameError

Path = tuple[str | int, ...]
"""A place in a document: keys, and places in lists from 0, such as ``("rules", 1, "actions", 0)``."""


class PolicyTextError(ValueError):
    """The text is not a policy. The message says what to change.

    ``path`` is the place in the document, or as much of it as is known. ``source`` names the file where
    several are read, and is empty for the one at hand.
    """

    def __init__(self, problem: str, path: Path = (), source: str = "", line: int | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.path = path
        self.source = source
        self.line = line


def unknown(what: str, name: str, known: Iterable[str], path: Path, where: str = "") -> PolicyTextError:
    """An error about a name that does not exist, with the closest known one."""
    texts = [str(one) for one in known]
    return PolicyTextError(f"{where}{UnknownNameError(what, name, texts).message}", path)
