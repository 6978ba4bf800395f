"""The commands of the Azure CLI that register the application, for bash.

What was chosen stands in quoted words and in here-documents that the shell does not look into, so no name of
an application or role becomes a command.
https://learn.microsoft.com/cli/azure/ad/app, https://learn.microsoft.com/cli/azure/reference-index#az-rest
"""

from __future__ import annotations

import json
from shlex import quote
from typing import Any

from crm_server.entra.registration import DYNAMICS_CRM, Registration

_HEAD = """\
#!/usr/bin/env bash
# Registers the server in Microsoft Entra ID. Read it, then run it where `az login` has signed in somebody who
# may register applications and consent for the tenant. Run again, it makes nothing twice.
# To take a role or scope away, switch it off in the portal first: Entra ID keeps what is in use.
set -euo pipefail
"""

_FIND = """\
if [ "$(az account show --query tenantId --output tsv)" != "$tenant" ]; then
  echo "Sign in to the tenant first: az login --tenant $tenant" >&2
  exit 1
fi
graph="$(az cloud show --query endpoints.microsoftGraphResourceId --output tsv)"
graph="${graph%/}/v1.0"
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT

# The application, found again by its URI.
app_id="$(az ad app list --identifier-uri "$identifier_uri" --query '[0].appId' --output tsv)"
if [ -z "$app_id" ]; then
"""

_CREATE = """\
  app_id="$(az rest --method POST --uri "$graph/applications" --headers Content-Type=application/json \\
    --body "@$folder/created.json" --query appId --output tsv)"
fi
application="$graph/applications(appId='$app_id')"

# Scopes, roles, addresses, claims, and the permission to act in Dataverse as the caller, all at once.
"""

_CONSENT = f"""
# The application in this tenant, and consent for everybody in it to act in Dataverse as they may there.
az ad sp show --id "$app_id" --output none 2>/dev/null || az ad sp create --id "$app_id" --output none
az ad app permission grant --id "$app_id" --api {DYNAMICS_CRM} --scope user_impersonation --output none
"""

_NEW_CREDENTIAL = """
# A secret, unless there is one; it is shown once. A certificate or a federated credential is better.
secret='(the one that was made before)'
if [ -z "$(az ad app credential list --id "$app_id" --query "[?displayName=='dynamics-crm-mcp'].keyId" \\
  --output tsv)" ]; then
  secret="$(az ad app credential reset --id "$app_id" --append --display-name dynamics-crm-mcp --years 1 \\
    --query password --output tsv)"
fi
"""

_FEDERATED = """
# The platform's tokens stand for the application's: there is no secret to keep.
if [ -z "$(az ad app federated-credential list --id "$app_id" --query "[?name=='dynamics-crm-mcp'].id" \\
  --output tsv)" ]; then
  az ad app federated-credential create --id "$app_id" --parameters "@$folder/federated.json" --output none
else
  az ad app federated-credential update --id "$app_id" --federated-credential-id dynamics-crm-mcp \\
    --parameters "@$folder/federated.json" --output none
fi
"""

_SETTINGS = """
echo '# Settings of the server:'
printf '%s\\n' "DYNAMICS_PUBLIC_URL=$public_url" \\
  'DYNAMICS_AUTH=on-behalf-of' \\
  "DYNAMICS_TENANT_ID=$tenant" \\
  "DYNAMICS_CLIENT_ID=$app_id" \\
  "DYNAMICS_CALLERS_ISSUER=$authority/$tenant/v2.0" \\
  "DYNAMICS_CALLERS_AUDIENCE=$identifier_uri,$app_id" \\
"""

_KEPT_BY_YOU = """\
  "DYNAMICS_CLIENT_SECRET=$secret" \\
  "DYNAMICS_PAGE_CLIENT_ID=$app_id" \\
  "DYNAMICS_PAGE_CLIENT_SECRET=$secret"
"""

_KEPT_BY_PLATFORM = """\
  '# AZURE_FEDERATED_TOKEN_FILE is set by the platform.' \\
  '# The page for approvals signs in with a secret: add one to the application, and set' \\
  '# DYNAMICS_PAGE_CLIENT_ID to its id and DYNAMICS_PAGE_CLIENT_SECRET to the secret.'
"""


def script(registration: Registration) -> str:
    """The commands, ready to be read and run."""
    parts = [
        _HEAD,
        f"tenant={quote(registration.tenant)}\n",
        f"public_url={quote(registration.public_url)}\n",
        f"identifier_uri={quote(registration.identifier_uri)}\n\n",
        _FIND,
        _file("created", registration.created()),
        _CREATE,
        _file("application", registration.described()),
        _patch("application"),
    ]
    if registration.clients:
        parts += [
            "\n# Clients whose users are not asked for their consent.\n",
            _file("clients", registration.admitted_clients()),
            _patch("clients"),
        ]
    parts += [_CONSENT, *_credential(registration)]
    parts.append('\nauthority="$(az cloud show --query endpoints.activeDirectory --output tsv)"\n')
    parts.append('authority="${authority%/}"\n')
    parts += [_SETTINGS, _KEPT_BY_YOU if registration.federated is None else _KEPT_BY_PLATFORM]
    return "".join(parts).rstrip("\n")


def _credential(registration: Registration) -> list[str]:
    federated = registration.federated_credential()
    return (
        [_NEW_CREDENTIAL]
        if federated is None
        else ["\n", _file("federated", federated), _FEDERATED.lstrip("\n")]
    )


def _file(name: str, content: dict[str, Any]) -> str:
    """A file of JSON. Each line of it begins with a brace, bracket, quote or space, so none is its end."""
    return f"cat > \"$folder/{name}.json\" <<'END_OF_JSON'\n{json.dumps(content, indent=2)}\nEND_OF_JSON\n"


def _patch(name: str) -> str:
    return (
        'az rest --method PATCH --uri "$application" --headers Content-Type=application/json \\\n'
        f'  --body "@$folder/{name}.json" --output none\n'
    )
