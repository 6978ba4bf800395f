"""nginx.conf as docs/running.md changes it for replicas at addresses of this machine."""

from __future__ import annotations

import re
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.deploy.test_nginx import CONFIGURATION, beside_certificates, free_port, listens, replaced, running
from tests.web.team import Team, team

pytestmark = pytest.mark.anyio
DOCS = (Path(__file__).parent.parent.parent / "docs" / "running.md").read_text()


def as_the_docs_say(text: str) -> str:
    """The file without its name server, and with the blocks that the docs have for it."""
    upstream, passing = re.findall(r"```nginx\n(.*?)```", DOCS, re.DOTALL)
    text = re.sub(
        r"    # Docker's own name server.*?resolver_timeout[^\n]*\n", upstream, text, flags=re.DOTALL
    )
    return re.sub(r"            set \$replicas server:8321;\n[^\n]*\n", passing, text)


async def test_calls_reach_a_replica_where_another_one_is_away(tmp_path: Path) -> None:
    async with team(tmp_path) as served:
        plain, secure, nobody = free_port(), free_port(), free_port()
        text = replaced(
            as_the_docs_say(CONFIGURATION.read_text()),
            ("listen 8080", f"listen 127.0.0.1:{plain}"),
            ("listen 8443", f"listen 127.0.0.1:{secure}"),
            ("127.0.0.1:8321", urlsplit(served.root).netloc),
            ("127.0.0.1:8322", f"127.0.0.1:{nobody}"),
            ("/tmp/", f"{tmp_path}/"),  # noqa: S108 - a path in the file
            ("/dev/stdout", f"{tmp_path}/access.log"),
        )
        assert "resolver" not in text
        assert "$replicas" not in text
        with running(beside_certificates(tmp_path, text)):
            trust = ssl.create_default_context(cafile=str(tmp_path / "made" / "ca.pem"))
            await listens(secure)
            async with httpx.AsyncClient(verify=trust, timeout=20) as http:
                through = Team(http, f"https://127.0.0.1:{secure}/mcp")
                for _ in range(4):
                    answer = await through.call("ann", "list_leads", {"top": 1})
                    assert answer.json()["result"]["structuredContent"]["records"], answer.text
