"""What Microsoft Entra ID's refusals mean for the person who can do something about them.

https://learn.microsoft.com/entra/identity-platform/reference-error-codes
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from crm_tools.errors import SignInError

ADVICE: Mapping[str, str] = {
    "16000": "Several accounts are signed in. Run `dynamics-crm-mcp login` and choose one.",
    "50020": "The account is of another tenant. Check DYNAMICS_TENANT_ID, or sign in with an account of this one.",
    "50034": "The account does not exist in this tenant. Check DYNAMICS_TENANT_ID.",
    "50057": "The account is disabled. An administrator enables it.",
    "50076": "The account needs a second factor. Run `dynamics-crm-mcp login` again.",
    "50079": "The account has to set up a second factor first. Sign in once in a browser.",
    "50105": "The account is not assigned to the application. An administrator assigns it.",
    "50126": "The user name or password is wrong.",
    "50158": "A further check is required. Run `dynamics-crm-mcp login` again.",
    "50173": "The sign-in was revoked. Run `dynamics-crm-mcp login` again.",
    "53003": "A conditional access policy forbids this sign-in. An administrator looks at the sign-in log.",
    "65001": "Nobody has consented to the application yet. An administrator grants it the permission user_impersonation "
    "of Dynamics CRM.",
    "65004": "The consent was declined. Sign in again and accept, or ask an administrator to consent.",
    "70043": "The sign-in has expired. Run `dynamics-crm-mcp login` again.",
    "700016": "The tenant has no such application. Check DYNAMICS_CLIENT_ID and DYNAMICS_TENANT_ID.",
    "700024": "The clock of this machine is wrong, or the assertion has expired. Check the clock.",
    "700027": "The certificate is not one of the application's. Upload its public part to the app registration.",
    "700082": "The sign-in has expired. Run `dynamics-crm-mcp login` again.",
    "7000215": "The client secret is wrong. Set DYNAMICS_CLIENT_SECRET to the secret's value, not its id.",
    "7000218": "The application takes no public clients. Switch on 'Allow public client flows' in its registration, "
    "or set another DYNAMICS_CLIENT_ID.",
    "7000222": "The client secret has expired. Create a new one and set DYNAMICS_CLIENT_SECRET.",
    "7000229": "The tenant has no service principal for the application. An administrator consents to it once.",
    "70021": "No federated credential of the application fits the token. Check its issuer, subject and audience.",
    "700213": "No federated credential of the application fits the token. Check its issuer, subject and audience.",
    "900023": "There is no such tenant. Check DYNAMICS_TENANT_ID: a directory id or domain.",
    "90002": "There is no such tenant. Check DYNAMICS_TENANT_ID.",
    "500011": "The environment is not known in this tenant. Check DYNAMICS_URL and DYNAMICS_TENANT_ID.",
    "500113": "The application has no redirect address http://localhost. Add it to the app registration.",
    "530003": "A conditional access policy wants a managed device. Sign in from one.",
}  # fmt: skip
"""AADSTS code -> what to fix."""

_OTHERWISE = "An administrator checks the application registration and the sign-in settings."


def token_of(answer: Mapping[str, Any]) -> str:
    """The access token of an answer.

    Raises:
        SignInError: There is none; the message says what to fix.
    """
    token = answer.get("access_token")
    if isinstance(token, str) and token:
        return token
    raise refusal(answer)


def refusal(answer: Mapping[str, Any]) -> SignInError:
    """The error of an answer without a token, with Microsoft's code and none of Microsoft's text."""
    match = re.search(r"AADSTS(\d+)", str(answer.get("error_description", "")))
    code = match[1] if match else ""
    advice = ADVICE.get(code, _OTHERWISE)
    return SignInError(
        f"Microsoft Entra ID refused the sign-in. {advice}", crm_code=f"AADSTS{code}" if code else None
    )
