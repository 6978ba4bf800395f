"""The identity service on a real TLS socket, clients of it, and somebody who fills in its pages."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urlsplit

import msal
import requests
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from crm_sandbox.identity import (
    DEFAULT_CLIENT_ID,
    DEFAULT_CLIENT_SECRET,
    DEFAULT_PUBLIC_CLIENT_ID,
    DEFAULT_TENANT_ID,
    IdentityApp,
    Lifetimes,
    Signer,
    User,
    default_directory,
)

ADA = User("11111111-aaaa-4bbb-8ccc-000000000001", "ada@contoso.example", "Ada <Admin>", "ada's password")
BEN = User("11111111-aaaa-4bbb-8ccc-000000000002", "ben@contoso.example", "Ben", "ben's password")
REDIRECT_URI = "http://localhost:4711/back"
LIFETIMES = Lifetimes(device_polling=timedelta(seconds=1))


class Clock:
    """Starts at the present, as msal reads the machine's clock, and is moved by hand."""

    def __init__(self):
        self.time = datetime.now(UTC)

    def __call__(self):
        return self.time

    def forward(self, **duration):
        self.time += timedelta(**duration)


class Host:
    """A server that answers with whatever application a test puts into it."""

    def __init__(self, root, ca_file):
        self.root = root
        self.ca_file = ca_file
        self.app = None

    async def __call__(self, scope, receive, send):
        await self.app(scope, receive, send)


@contextmanager
def hosting(certificates):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host = Host(f"https://localhost:{listener.getsockname()[1]}", certificates.ca_file)
        config = uvicorn.Config(
            host,
            lifespan="off",
            log_config=None,
            ws="none",
            ssl_certfile=certificates.certificate_file,
            ssl_keyfile=certificates.key_file,
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield host
        finally:
            # A client that ended without saying so would leave its connection to the garbage collector.
            for connection in list(server.server_state.connections):
                connection.loop.call_soon_threadsafe(connection.transport.abort)
            server.should_exit = True
            thread.join(timeout=10)
            assert not thread.is_alive()


class Service:
    """A fresh tenant on a host, with a session of HTTP and the clients of msal."""

    def __init__(self, host, session, keys):
        self.root, self.session = host.root, session
        self._host, self._keys = host, keys
        self.clock = Clock()
        self.use(default_directory([ADA, BEN]))

    def use(self, directory):
        """Start anew with another directory."""
        self.directory = directory
        self.signer = Signer(directory, self.clock, self.root, self._keys)
        self.app = self._host.app = IdentityApp(directory, self.signer, self.clock, LIFETIMES)

    def change(self, **application):
        """Start anew with the confidential application changed."""
        first, *others = self.directory.applications
        self.use(replace(self.directory, applications=(replace(first, **application), *others)))

    @property
    def authority(self):
        return f"{self.root}/{DEFAULT_TENANT_ID}"

    @property
    def token_address(self):
        return f"{self.authority}/oauth2/v2.0/token"

    @property
    def scope(self):
        return f"{self.root}/.default"

    def confidential(self, credential=DEFAULT_CLIENT_SECRET, authority=None, **options):
        return msal.ConfidentialClientApplication(
            DEFAULT_CLIENT_ID,
            client_credential=credential,
            authority=authority or self.authority,
            http_client=self.session,
            **{"instance_discovery": False, **options},
        )

    def public(self):
        return msal.PublicClientApplication(
            DEFAULT_PUBLIC_CLIENT_ID,
            authority=self.authority,
            http_client=self.session,
            instance_discovery=False,
        )

    def ask_token(self, **form):
        """Post a form to the token endpoint, as the confidential application unless it says otherwise."""
        form = {"client_id": DEFAULT_CLIENT_ID, "client_secret": DEFAULT_CLIENT_SECRET, **form}
        sent = {name: value for name, value in form.items() if value is not None}
        return self.session.post(self.token_address, data=sent)

    def claims(self, answer):
        """What the access token of an answer says to the organisation."""
        return self.signer.verify(f"Bearer {answer['access_token']}", self.root)

    def authorize(self, **query):
        """Ask for the sign-in page, or what comes instead of it."""
        asked = {
            "client_id": DEFAULT_PUBLIC_CLIENT_ID,
            "response_type": "code",
            "redirect_uri": REDIRECT_URI,
            "scope": f"{self.scope} openid profile offline_access",
            "state": "s 1",
            **query,
        }
        sent = {name: value for name, value in asked.items() if value is not None}
        address = f"{self.authority}/oauth2/v2.0/authorize"
        return self.session.get(address, params=sent, allow_redirects=False)

    def choose(self, page, user):
        """Press the button of a user on a sign-in page."""
        form = form_of(page)
        object_id = user.object_id if user else ""
        assert object_id in form.choices
        answer = {**form.fields, "user": object_id}
        return self.session.post(page.url, data=answer, allow_redirects=False)

    def code(self, user=ADA, **query):
        return redirected(self.choose(self.authorize(**query), user))["code"]

    def redeem(self, code, **form):
        """Redeem a code as the public application."""
        form = {"client_id": DEFAULT_PUBLIC_CLIENT_ID, "client_secret": None, **form}
        form = {"redirect_uri": REDIRECT_URI, "scope": f"{self.scope} openid offline_access", **form}
        return self.ask_token(grant_type="authorization_code", code=code, **form)


class Form(HTMLParser):
    """The form of a page."""

    def __init__(self):
        super().__init__()
        self.action, self.fields, self.choices = None, {}, []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        match tag:
            case "form":
                self.action = given.get("action")
            case "input":
                self.fields[given["name"]] = given.get("value", "")
            case "button" if given.get("name") == "user":
                self.choices.append(given["value"])


def form_of(page):
    assert page.status_code == 200, page.text
    form = Form()
    form.feed(page.text)
    return form


def redirected(answer):
    """The parameters with which an answer sends the browser to the client."""
    assert answer.status_code == 302, answer.text
    address, _, query = answer.headers["location"].partition("?")
    assert address == REDIRECT_URI
    return dict(parse_qsl(query, strict_parsing=True))


def refusal(answer):
    """HTTP status, OAuth error and AADSTS number of a refusal, whose form is checked."""
    content = answer.json()
    known = {"error", "error_description", "error_codes", "timestamp", "trace_id", "correlation_id"}
    assert known <= set(content) <= known | {"suberror", "claims"}
    (code,) = content["error_codes"]
    assert content["error_description"].startswith(f"AADSTS{code}: ")
    assert content["correlation_id"] in content["error_description"]
    return answer.status_code, content["error"], code


def told_code(result):
    """The AADSTS number of an error that msal gives back."""
    assert "access_token" not in result
    (code,) = result["error_codes"]
    return code


def new_session(ca_file):
    session = requests.Session()
    session.trust_env = False
    session.verify = str(ca_file)
    return session


def make_client_certificate():
    """The certificate of an application: private key and certificate, both PEM, and its SHA-1 thumbprint."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "application")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2036, 1, 1, tzinfo=UTC))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = certificate.public_bytes(serialization.Encoding.PEM)
    return private.decode(), public.decode(), certificate.fingerprint(hashes.SHA1()).hex()  # noqa: S303


def port_of(address):
    return urlsplit(address).port


def signed_in(service, app, user=ADA, **options):
    """What msal gets for somebody who signs in on the page."""
    flow = app.initiate_auth_code_flow(
        [service.scope], redirect_uri=REDIRECT_URI, response_mode="form_post", **options
    )
    page = service.session.get(flow["auth_uri"])
    answer = form_of(service.choose(page, user))
    assert answer.action == REDIRECT_URI
    return app.acquire_token_by_auth_code_flow(flow, answer.fields)
