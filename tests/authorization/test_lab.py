"""The file of callers of a lab: who is in it, and what in it refuses the start."""

from __future__ import annotations

from pathlib import Path

import pytest

from crm_server.authorization.claims import TokenRefusedError
from crm_server.authorization.lab import new_token, read_lab
from crm_server.settings import SettingsError

pytestmark = pytest.mark.anyio
DIGEST = "0" * 64


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "callers.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


async def test_a_new_token_lets_its_caller_in_to_read_and_nobody_else(tmp_path: Path) -> None:
    (token, lines), (_, others) = new_token("ann"), new_token("bob")
    tokens = read_lab(written(tmp_path, lines + others))
    caller = await tokens.caller_of(token)
    assert (caller.name, caller.roles, caller.scopes) == ("ann", frozenset(), {"crm.read"})
    assert token not in lines
    for wrong in (token[:-1], f"{token} ", lines.split('"')[1], ""):
        with pytest.raises(TokenRefusedError):
            await tokens.caller_of(wrong)


async def test_a_caller_without_scopes_in_the_file_reads_and_one_with_none_does_nothing(
    tmp_path: Path,
) -> None:
    (one, first), (other, second) = new_token("ann"), new_token("bob")
    text = first.replace('scopes = ["crm.read"]\n', "") + second.replace('["crm.read"]', "[]")
    tokens = read_lab(written(tmp_path, text))
    assert (await tokens.caller_of(one)).scopes == {"crm.read"}
    assert (await tokens.caller_of(other)).scopes == frozenset()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "names nobody"),
        (b"\xff", "cannot be read"),
        ("[ann", "is no TOML"),
        ('ann = "token"', "A caller is a table such as"),
        ("[ann]", "sha256 is the digest"),
        (f'[ann]\nsha256 = "{DIGEST[1:]}"', "sha256 is the digest"),
        (f'[ann]\nsha256 = "{"A" * 64}"', "sha256 is the digest"),
        ("[ann]\nsha256 = 5", "sha256 is the digest"),
        (f'[ann]\nsha256 = "{DIGEST}"\ntoken = "x"', "unknown key 'token'"),
        (f'[ann]\nsha256 = "{DIGEST}"\nrole = ["x"]', "Did you mean roles?"),
        (f'[ann]\nsha256 = "{DIGEST}"\nroles = "x"', "roles is a list of texts"),
        (f'[ann]\nsha256 = "{DIGEST}"\nroles = [5]', "roles is a list of texts"),
        (f'[ann]\nsha256 = "{DIGEST}"\nscopes = "crm.read"', "scopes is a list of texts"),
        (f'[ann]\nsha256 = "{DIGEST}"\nscopes = ["crm.wrte"]', "Did you mean crm.write?"),
        (f'[ann]\nsha256 = "{DIGEST}"\n[bob]\nsha256 = "{DIGEST}"', "ann and bob have the same token"),
    ],
)
def test_what_cannot_be_meant_refuses_the_start(text: str | bytes, says: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        read_lab(written(tmp_path, text))
    assert says in str(refused.value)
