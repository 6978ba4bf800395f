"""The HTML of the sign-in pages. Everything is in the page itself; every value is escaped."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from html import escape

from crm_sandbox.identity.directory import User

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:28rem;margin:3rem auto;padding:0 1rem}"
    "button{display:block;width:100%;text-align:left;font:inherit;padding:.6rem;margin:.4rem 0}"
    "small{display:block}label{display:block}input{font:inherit}"
)
_SUBMIT = "document.forms[0].submit()"
SUBMIT_HASH = "sha256-" + base64.b64encode(hashlib.sha256(_SUBMIT.encode()).digest()).decode()
"""The hash of the only script, for the Content-Security-Policy."""


def sign_in_page(application: str, users: Iterable[User], fields: Mapping[str, str]) -> str:
    """Asks whom to sign in as. The choice is posted to the same address, with ``fields`` repeated."""
    return _page(
        "Sign in",
        f"<p>{escape(application)} wants to act for you. Sign in as:</p>"
        f'<form method="post">{_hidden(fields)}{_choices(users)}{_refusal()}</form>',
    )


def device_page(users: Iterable[User], user_code: str, note: str = "") -> str:
    """Asks for the code that a device shows, and whom to sign in as."""
    told = f"<p>{escape(note)}</p>" if note else ""
    return _page(
        "Sign in on another device",
        f'{told}<form method="post"><label>Code shown by the device '
        f'<input name="user_code" autocomplete="off" value="{escape(user_code)}"></label>'
        f"<p>Sign in as:</p>{_choices(users)}{_refusal()}</form>",
    )


def form_post_page(redirect_uri: str, fields: Mapping[str, str]) -> str:
    """Posts the answer of a sign-in to the client by itself, or by a button where scripts do not run.

    https://openid.net/specs/oauth-v2-form-post-response-mode-1_0.html
    """
    return _page(
        "Signing in",
        f'<form method="post" action="{escape(redirect_uri)}">{_hidden(fields)}'
        f"<noscript><button>Continue</button></noscript></form><script>{_SUBMIT}</script>",
    )


def message_page(title: str, text: str) -> str:
    """Says one thing."""
    return _page(title, f"<p>{escape(text)}</p>")


def _page(title: str, content: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><h1>{escape(title)}</h1>{content}</body></html>"
    )


def _hidden(fields: Mapping[str, str]) -> str:
    return "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in fields.items()
    )


def _choices(users: Iterable[User]) -> str:
    return "".join(
        f'<button name="user" value="{escape(user.object_id)}">{escape(user.name)}'
        f"<small>{escape(user.user_principal_name)}</small></button>"
        for user in users
    )


def _refusal() -> str:
    return '<button name="user" value="">Cancel</button>'
