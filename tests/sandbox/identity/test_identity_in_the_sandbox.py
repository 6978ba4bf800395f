"""The organisation takes tokens of its tenant, and only those: every grant of msal ends in WhoAmI."""

from __future__ import annotations

import jwt
import msal
import pytest
import requests

from crm_sandbox.identity import DEFAULT_CLIENT_ID, KeyRing
from crm_sandbox.opening import open_store
from crm_sandbox.signing_in import SignedIn
from tests.sandbox.identity.identity_service import Service, new_session, signed_in
from tests.sandbox.identity.test_identity_managed import VARIABLES

API = "/api/data/v9.2/"


class Organisation(Service):
    """An organisation with its tenant on a host, and people of its own."""

    def __init__(self, host, session, keys, folder):
        self._folder = folder
        super().__init__(host, session, keys)

    def use(self, directory):
        """Start anew; the people are those of the organisation."""
        self.store = open_store(seed=1, now=self.clock, accounts=20, path=None, tables=())
        self.app = self._host.app = SignedIn(self.store, self.root, self._folder)
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


def test_a_person_signs_in_on_the_page(organisation):
    assert organisation.who(organisation.token_of("Alex Baker")) == "Alex Baker"


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
    assert organisation.get(assertion).status_code == 401


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
    """Whether an answer is the documented refusal of a token."""
    challenge = answer.headers["WWW-Authenticate"]
    assert challenge.startswith(f"Bearer authorization_uri={root}/")
    assert f"resource_id={root}/" in challenge
    return answer.status_code == 401


def test_a_request_without_a_token_is_told_where_to_get_one(organisation):
    assert refused(organisation.get(None), organisation.root)


def test_an_expired_token_is_refused(organisation):
    token = organisation.token()
    organisation.clock.forward(minutes=59)
    assert organisation.get(token).status_code == 200
    organisation.clock.forward(minutes=2)
    assert refused(organisation.get(token), organisation.root)


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


def test_an_administrator_acts_for_another(organisation):
    reader = organisation.person("Casey Reader")
    token = organisation.token()
    assert organisation.who(token, CallerObjectId=reader.object_id) == "Casey Reader"
    answer = organisation.call("POST", token, "accounts", {"name": "x"}, {"CallerObjectId": reader.object_id})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "0x80040220")


def test_a_reader_acts_for_nobody(organisation):
    token = organisation.token_of("Casey Reader")
    answer = organisation.get(token, CallerObjectId=organisation.person("Alex Baker").object_id)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "0x80040220")


def test_somebody_who_left_the_organisation_is_no_member(organisation):
    token = organisation.token_of("Kim Akers")
    organisation.store.connection.execute("UPDATE systemuser SET isdisabled = 1 WHERE fullname = 'Kim Akers'")
    answer = organisation.get(token)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "0x80072560")


def test_nobody_trusts_the_authority_unless_told_to(organisation):
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(f"{organisation.root}{API}WhoAmI", timeout=10)
