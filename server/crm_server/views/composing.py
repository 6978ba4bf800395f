"""Makes one document of a page and the files it names.

The page's own file is ordinary HTML with ``<link>`` and ``<script src>``, so it can be opened from the disk
while it is worked on. What a host gets has them inside, and a content security policy that names each by its
hash: a script or style that is not ours does not run, even where the host's own policy would let it.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files

from crm_server import __version__

_STYLE = re.compile(r'<link rel="stylesheet" href="([a-z_]+\.css)">')
_SCRIPT = re.compile(r'<script src="([a-z_]+\.js)"></script>')
_POLICY_PLACE = "<!-- policy -->"
_VERSION_PLACE = "{{version}}"


@cache
def compose(page: str) -> str:
    """The document of a page of this package, by the name of its file."""
    html = _read(page).replace(_VERSION_PLACE, __version__)
    styles = [_read(name) for name in _STYLE.findall(html)]
    scripts = [_read(name) for name in _SCRIPT.findall(html)]
    html = _STYLE.sub(lambda match: f"<style>{_read(match[1])}</style>", html)
    html = _SCRIPT.sub(lambda match: f"<script>{_read(match[1])}</script>", html)
    return html.replace(_POLICY_PLACE, _policy(styles, scripts))


def _policy(styles: list[str], scripts: list[str]) -> str:
    rules = (
        "default-src 'none'",
        f"script-src {' '.join(map(_hash, scripts))}",
        f"style-src {' '.join(map(_hash, styles))}",
        "base-uri 'none'",
        "form-action 'none'",
    )
    return f'<meta http-equiv="Content-Security-Policy" content="{"; ".join(rules)}">'


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _read(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")
