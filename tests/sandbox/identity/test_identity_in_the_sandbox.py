"""The organisation takes tokens of its tenant, and only those: every grant of msal ends in WhoAmI."""

from __future__ import annotations

import anyio
import httpx
import jwt
import msal
import pytest
import requests

from crm_sandbox.hosting import Hosted, Options
from crm_sandbox.identity import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, DEFAULT_TENANT_ID, KeyRing
from crm_sandbox.opening import open_store
from crm_sandbox.signing_in import SignedIn
from tests.sandbox.identity.identity_service import Service, new_session, signed_in
from tests.sandbox.identity.test_identity_managed import VARIABLES

API = "/api/data/v9.2/"


class Organisation(Service):
    """An organisation with its tenant on a host, and people of its own."""

    def __init__(self, host, session, keys, folder):
        self.folder = folder
        super().__init__(host, session, keys)

    def use(self, directory):
        """Start anew; the people are those of the organisation."""
        self.store = open_store(seed=1, now=self.clock, accounts=20, path=None, tables=())
        self.app = self._host.app = SignedIn(self.store, self.root, self.folder)
        self.directory = self.app.directory

    def person(self, name):
        return next(user for user in self.directory.users if user.name == name)

    def get(self, token, path="WhoAmI", **headers):
        return self.call("GET", token, path, None, headers)

    def call(self, method, token, path, body=None, headers=None):
        sent = {**({"Authorization": f"Bearer {token}"} if token else {}), **(headers or {})}
        return self.session.request(method, f"{self.root}{API}{path}", json=body, headers=sent)

    def who(self, token, **headers):
        """The name of the user whom a token stands for."""
        answer = self.get(token, **headers)
        assert answer.status_code == 200, answer.text
        key = answer.json()["UserId"]
        return self.store.rows("SELECT fullname FROM systemuser WHERE systemuserid = ?", [key])[0]["fullname"]

    def payload(self, result):
        """What the token of an answer of msal says."""
        return jwt.decode(result["access_token"], options={"verify_signature": False})

    def token(self):
        """A token of the application."""
        return self.confidential().acquire_token_for_client([self.scope])["access_token"]

    def token_of(self, name):
        """A token of somebody who signs in on the page."""
        return signed_in(self, self.public(), self.person(name))["access_token"]


@pytest.fixture
def organisation(identity_host, identity_keys, tmp_path):
    with new_session(identity_host.ca_file) as session:
        found = Organisation(identity_host, session, identity_keys, tmp_path)
        yield found
        found.store.close()


def test_an_application_signs_in_with_its_secret(organisation):
    assert organisation.who(organisation.token()).startswith("# ")


def test_an_application_signs_in_with_the_certificate_in_the_folder(organisation):
    content = (organisation.folder / "client.pem").read_text()
    app = organisation.confidential({"private_key": content, "public_certificate": content})
    result = app.acquire_token_for_client([organisation.scope])
    assert organisation.payload(result)["appidacr"] == "2"
    assert organisation.who(result["access_token"]) == "# Sandbox application"


@pytest.mark.parametrize("kind", ["public", "confidential"])
def test_a_person_signs_in_on_the_page(organisation, kind):
    app = getattr(organisation, kind)()
    result = signed_in(organisation, app, organisation.person("Alex Baker"))
    assert organisation.who(result["access_token"]) == "Alex Baker"


def test_a_person_stays_signed_in_by_a_refresh_token(organisation):
    app = organisation.public()
    first = signed_in(organisation, app, organisation.person("Robin Counts"))["access_token"]
    organisation.clock.forward(hours=2)
    assert refused(organisation.get(first), organisation.root)
    (account,) = app.get_accounts()
    again = app.acquire_token_silent([organisation.scope], account, force_refresh=True)["access_token"]
    assert organisation.who(again) == "Robin Counts"


def test_a_person_signs_in_with_a_device_code(organisation):
    app = organisation.public()
    flow = app.initiate_device_flow([organisation.scope])
    page = organisation.session.get(flow["verification_uri"], params={"user_code": flow["user_code"]})
    organisation.choose(page, organisation.person("Kim Akers"))
    result = app.acquire_token_by_device_flow(flow, exit_condition=lambda flow: True)
    assert organisation.who(result["access_token"]) == "Kim Akers"


def test_an_application_acts_on_behalf_of_a_person(organisation):
    scope = f"api://{DEFAULT_CLIENT_ID}/access_as_user"
    code = organisation.code(organisation.person("Dana Ortiz"), scope=scope)
    assertion = organisation.redeem(code, scope=scope).json()["access_token"]
    result = organisation.confidential().acquire_token_on_behalf_of(assertion, [organisation.scope])
    assert organisation.who(result["access_token"]) == "Dana Ortiz"
    # The token with which the application was called is not for the organisation.
    assert refused(organisation.get(assertion), organisation.root)


def test_a_managed_identity_is_a_user_of_the_organisation(organisation, monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    header = organisation.directory.identity_header
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{organisation.root}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", header)
    client = msal.ManagedIdentityClient(
        msal.SystemAssignedManagedIdentity(), http_client=organisation.session
    )
    result = client.acquire_token_for_client(resource=organisation.root)
    assert organisation.who(result["access_token"]) == "# Managed identity"


def refused(answer, root):
    """Whether an answer is the documented refusal of a token.

    https://learn.microsoft.com/power-apps/developer/data-platform/authenticate-oauth
    """
    authorize = f"{root}/{DEFAULT_TENANT_ID}/oauth2/authorize"
    assert answer.headers["WWW-Authenticate"] == (
        f"Bearer authorization_uri={authorize}, resource_id={root}/"
    )
    return (answer.status_code, answer.content) == (401, b"")


def test_a_request_without_a_token_is_told_where_to_get_one(organisation):
    assert refused(organisation.get(None), organisation.root)


def test_an_expired_token_is_refused(organisation):
    token = organisation.token()
    organisation.clock.forward(minutes=59)
    assert organisation.get(token).status_code == 200
    organisation.clock.forward(minutes=2)
    assert refused(organisation.get(token), organisation.root)


def test_an_id_token_is_for_another_audience(organisation):
    result = signed_in(organisation, organisation.public(), organisation.person("Alex Baker"))
    assert refused(organisation.get(result["id_token"]), organisation.root)


def test_a_token_of_somebody_else_is_refused(organisation):
    token = organisation.token()
    payload = jwt.decode(token, options={"verify_signature": False})
    stranger = KeyRing().signing
    header = {"kid": jwt.get_unverified_header(token)["kid"]}
    forged = jwt.encode(payload, stranger.private, "RS256", headers=header)
    unsigned = jwt.encode(payload, None, "none")
    symmetric = jwt.encode(payload, "x" * 32, "HS256", headers=header)
    for other in (forged, unsigned, symmetric, "nothing", f"{token}x", token.rpartition(".")[0]):
        assert refused(organisation.get(other), organisation.root)


@pytest.mark.parametrize("scheme", ["Basic", "bearer", "Bearer"])
def test_another_scheme_is_no_token(organisation, scheme):
    answer = organisation.get(None, Authorization=f"{scheme} {organisation.token()}")
    assert (answer.status_code == 200) is (scheme.lower() == "bearer")


def test_a_reader_reads_and_writes_nothing(organisation):
    token = organisation.token_of("Casey Reader")
    assert organisation.get(token, "accounts?$top=1").status_code == 200
    answer = organisation.call("POST", token, "accounts", {"name": "x"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "0x80040220")
    assert "prvCreateAccount" in answer.json()["error"]["message"]


@pytest.fixture(params=["CallerObjectId", "MSCRMCallerID"])
def impersonation(request, organisation):
    """The header with which somebody acts for another, by the ids that it takes."""

    def header(name):
        person = organisation.person(name)
        sql = "SELECT systemuserid FROM systemuser WHERE azureactivedirectoryobjectid = ?"
        key = organisation.store.rows(sql, [person.object_id])[0]["systemuserid"]
        return {request.param: person.object_id if request.param == "CallerObjectId" else key}

    return header


@pytest.mark.parametrize("administrator", ["application", "person"])
def test_an_administrator_acts_for_another(organisation, impersonation, administrator):
    token = organisation.token() if administrator == "application" else organisation.token_of("Alex Baker")
    assert organisation.who(token, **impersonation("Casey Reader")) == "Casey Reader"
    answer = organisation.call("POST", token, "accounts", {"name": "x"}, impersonation("Casey Reader"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "0x80040220")


def test_a_reader_acts_for_nobody(organisation, impersonation):
    token = organisation.token_of("Casey Reader")
    answer = organisation.get(token, **impersonation("Alex Baker"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "0x80040220")


@pytest.mark.parametrize("header", ["CallerObjectId", "MSCRMCallerID"])
def test_nobody_acts_for_somebody_unknown(organisation, header):
    token = organisation.token()
    for unknown in ("00000000-0000-4000-8000-000000000000", "nobody", "' OR 1 = 1"):
        answer = organisation.get(token, **{header: unknown})
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "0x80072560")


# A token that counts, of somebody whom the organisation does not know, is refused with 403 and not 401:
# https://learn.microsoft.com/power-platform/admin/troubleshooting-user-needs-read-write-access-organization
def test_an_application_that_is_no_user_of_the_organisation_is_no_member(organisation):
    token = organisation.token()
    organisation.store.connection.execute(
        "DELETE FROM systemuser WHERE applicationid = ?", [DEFAULT_CLIENT_ID]
    )
    answer = organisation.get(token)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "0x80072560")
    assert "WWW-Authenticate" not in answer.headers


def test_somebody_who_left_the_organisation_is_no_member(organisation):
    token = organisation.token_of("Kim Akers")
    organisation.store.connection.execute("UPDATE systemuser SET isdisabled = 1 WHERE fullname = 'Kim Akers'")
    answer = organisation.get(token)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "0x80072560")


def test_nobody_trusts_the_authority_unless_told_to(organisation):
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(f"{organisation.root}{API}WhoAmI", timeout=10)


def test_applications_stay_users_when_the_organisation_is_reset_or_restored(tmp_path):
    """A file's snapshot may be of a time when nobody had to sign in."""
    data = tmp_path / "crm.sqlite"

    async def by_control(app, *steps):
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app), base_url="https://localhost:8322"
        ) as client:
            for step in steps:
                answer = await client.post(f"/sandbox/{step}", json={"name": "early"})
                assert answer.is_success, answer.text
            form = {"grant_type": "client_credentials", "scope": "https://localhost:8322/.default"}
            form |= {"client_id": DEFAULT_CLIENT_ID, "client_secret": DEFAULT_CLIENT_SECRET}
            tokens = await client.post(f"/{DEFAULT_TENANT_ID}/oauth2/v2.0/token", data=form)
            bearer = f"Bearer {tokens.json().get('access_token')}"
            return (await client.get(f"{API}WhoAmI", headers={"Authorization": bearer})).status_code

    _in_a_host(Options(path=data, control=True, accounts=20), by_control, "snapshot")
    secured = Options(path=data, control=True, accounts=20, tls=tmp_path / "tls")
    for step in ("reset", "restore"):
        assert _in_a_host(secured, by_control, step) == 200


def _in_a_host(options, function, *arguments):
    host = Hosted(options, 8322)
    try:
        return anyio.run(function, host.app, *arguments)
    finally:
        host.close()
