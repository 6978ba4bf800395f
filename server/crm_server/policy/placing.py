"""Finds the line of a key or value in a policy's text. Loaded only when an error has to be placed.

The standard library's TOML reader forgets where it found things; tree-sitter's grammar of TOML keeps it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from crm_server.policy.problems import Path

if TYPE_CHECKING:
    from tree_sitter import Node

_KEYS = ("bare_key", "quoted_key", "dotted_key")


def line_of(text: str, path: Path) -> int | None:
    """The line, from 1, of the longest part of the path that is written; None where none of it is."""
    lines = _Lines(text).lines
    while path:
        if path in lines:
            return lines[path]
        path = path[:-1]
    return None


class _Lines:
    """The line on which each path of a document begins."""

    def __init__(self, text: str) -> None:
        import tree_sitter_toml
        from tree_sitter import Language, Parser

        self.lines: dict[Path, int] = {}
        self._sizes: dict[Path, int] = {}
        root = Parser(Language(tree_sitter_toml.language())).parse(text.encode()).root_node
        self._pairs(root, ())
        for node in root.named_children:
            if node.type in ("table", "table_array_element"):
                path = self._opened(_key(node.named_children[0]), is_list=node.type == "table_array_element")
                self._note(path, node)
                self._pairs(node, path)

    def _opened(self, keys: Path, *, is_list: bool) -> Path:
        """The path that a header opens: in lists of sections it goes on in the last one."""
        path: Path = ()
        for place, key in enumerate(keys):
            path = (*path, key)
            if is_list and place == len(keys) - 1:
                self._sizes[path] = self._sizes.get(path, 0) + 1
            if path in self._sizes:
                path = (*path, self._sizes[path] - 1)
        return path

    def _pairs(self, node: Node, path: Path) -> None:
        for child in node.named_children:
            if child.type == "pair":
                key, value = (one for one in child.named_children if one.type != "comment")
                here = (*path, *_key(key))
                self._note(here, child)
                self._value(value, here)

    def _value(self, node: Node, path: Path) -> None:
        if node.type == "inline_table":
            self._pairs(node, path)
        elif node.type == "array":
            for place, item in enumerate(one for one in node.named_children if one.type != "comment"):
                self._note((*path, place), item)
                self._value(item, (*path, place))

    def _note(self, path: Path, node: Node) -> None:
        """Keys that are written together, as in ``a.b = 1``, begin on one line."""
        line = node.start_point.row + 1
        for length in range(1, len(path) + 1):
            self.lines.setdefault(path[:length], line)


def _key(node: Node) -> tuple[str, ...]:
    return tuple(_names(node))


def _names(node: Node) -> Iterator[str]:
    if node.type == "dotted_key":
        for child in node.named_children:
            if child.type in _KEYS:
                yield from _names(child)
    else:
        text = (node.text or b"").decode()
        yield next(iter(tomllib.loads(f"{text} = 0"))) if node.type == "quoted_key" else text
