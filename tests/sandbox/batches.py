"""Writes and reads multipart batches by the standard library's e-mail parser, not by the code under test."""

from __future__ import annotations

import json
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from typing import Any

API = "/api/data/v9.2/"


@dataclass(frozen=True)
class Part:
    """One request of a batch."""

    method: str
    path: str
    body: Any = None
    content_id: str | None = None
    headers: tuple[tuple[str, str], ...] = ()

    def text(self) -> str:
        lines = ["Content-Type: application/http", "Content-Transfer-Encoding: binary"]
        if self.content_id:
            lines.append(f"Content-ID: {self.content_id}")
        target = self.path if self.path.startswith(("$", "/", "http")) else API + self.path
        lines += ["", f"{self.method} {target} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        if self.body is not None:
            lines.append("Content-Type: application/json")
        return "\r\n".join([*lines, "", "" if self.body is None else json.dumps(self.body)])


def batch_body(*items: Part | list[Part]) -> bytes:
    """A batch with boundary ``b``; a list of parts is a change set."""
    lines = []
    for number, item in enumerate(items):
        lines.append("--b")
        if isinstance(item, Part):
            lines.append(item.text())
            continue
        lines += [f"Content-Type: multipart/mixed; boundary=c{number}", ""]
        for part in item:
            lines += [f"--c{number}", part.text()]
        lines.append(f"--c{number}--")
    return ("\r\n".join([*lines, "--b--"]) + "\r\n").encode()


HEADERS = {"Content-Type": "multipart/mixed; boundary=b"}


@dataclass(frozen=True)
class PartAnswer:
    """One answer of a batch."""

    status: int
    headers: dict[str, str]
    content: Any
    content_id: str | None


def part_answers(content_type: str, body: bytes) -> list[PartAnswer | list[PartAnswer]]:
    """The answers of a batch, those of a change set as a list."""
    message = message_from_bytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
    return [
        [_part_answer(inner) for inner in part.get_payload()] if part.is_multipart() else _part_answer(part)
        for part in message.get_payload()
    ]


def _part_answer(part: Message) -> PartAnswer:
    raw = part.get_payload(decode=True)
    head, _, body = raw.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines if line)
    body = body.strip()
    content = json.loads(body) if body.startswith(b"{") else body.decode("utf-8-sig") or None
    return PartAnswer(int(status.split()[1]), headers, content, part["Content-ID"])
