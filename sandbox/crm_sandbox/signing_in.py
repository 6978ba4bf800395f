"""The sandbox behind sign-in: its organisation and the tenant that issues tokens for it, at one address."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID, uuid5

from crm_sandbox.app import Receive, SandboxApp, Scope, Send
from crm_sandbox.callers import Identity
from crm_sandbox.errors import NotSignedInError
from crm_sandbox.identity import (
    Claims,
    IdentityApp,
    Signer,
    Unauthorized,
    User,
    default_directory,
    make_certificates,
    make_client_certificate,
)
from crm_sandbox.session import ADMINISTRATOR
from crm_sandbox.store import Row, Store

APPROVER = "CRM.Approver"
"""The app role that the tenant gives to the organisation's administrators."""

_USERS = UUID("0f8a6b3e-4c41-4f0c-9a58-5f0b1d7e2c63")


class SignedIn:
    """Answers sign-in addresses itself, and the Web API for those who bring a token."""

    def __init__(self, store: Store, root: str, folder: Path) -> None:
        """``root`` is the address of organisation and tenant; ``folder`` holds the certificates."""
        self.root = root
        self.certificates = make_certificates(folder)
        self.directory = default_directory(_users(store), [make_client_certificate(folder).public])
        self._store = store
        self.add_application_users()
        self._signer = Signer(self.directory, store.now, root)
        self._identity = IdentityApp(self.directory, self._signer, store.now)
        self._api = SandboxApp(store, self._identify)

    @property
    def environment(self) -> dict[str, str]:
        """The settings with which the server signs in here."""
        application = self.directory.applications[0]
        return {
            "DYNAMICS_AUTHORITY": self.root,
            "DYNAMICS_TENANT_ID": self.directory.tenant.id,
            "DYNAMICS_CLIENT_ID": application.client_id,
            "DYNAMICS_CLIENT_SECRET": application.secret or "",
        }

    def add_application_users(self) -> None:
        """Make the tenant's applications users of the organisation, unless they are. All are administrators.

        To be called again when the organisation's rows were replaced, as by a reset.

        https://learn.microsoft.com/power-platform/admin/manage-application-users
        """
        named = [(one.client_id, one.object_id, one.name) for one in self.directory.applications]
        named += [
            (one.client_id, one.object_id, "Managed identity") for one in self.directory.managed_identities
        ]
        for client_id, object_id, name in named:
            if not self._store.rows("SELECT 1 FROM systemuser WHERE applicationid = ?", [client_id]):
                _add_application_user(self._store, client_id, object_id, name)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and self._identity.serves(scope["path"]):
            await self._identity(scope, receive, send)
        else:
            await self._api(scope, receive, send)

    def caller_of(self, scope: Scope) -> str:
        """Who sends a request, for the service protection limits, which count by user."""
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        try:
            return self._claims(headers.get(b"authorization")).object_id
        except Unauthorized:
            return "nobody"

    def _identify(self, authorization: str | None) -> Identity:
        try:
            claims = self._claims(authorization)
        except Unauthorized as error:
            raise NotSignedInError(error.challenge) from None
        return Identity(claims.object_id, claims.application_id if claims.is_application else None)

    def _claims(self, authorization: str | None) -> Claims:
        return self._signer.verify(authorization, self.root)


def _users(store: Store) -> list[User]:
    found = store.rows(
        "SELECT azureactivedirectoryobjectid AS id, domainname, fullname, EXISTS (SELECT 1 "
        "FROM systemuserroles JOIN role USING (roleid) WHERE systemuserid = systemuser.systemuserid "
        "AND role.name = ?) AS administers FROM systemuser "
        "WHERE id IS NOT NULL AND applicationid IS NULL AND NOT coalesce(isdisabled, 0) ORDER BY fullname",
        [ADMINISTRATOR],
    )
    return [
        User(
            row["id"],
            row["domainname"] or row["fullname"],
            row["fullname"],
            password="sandbox",  # noqa: S106 - nobody is asked for it
            roles=(APPROVER,) if row["administers"] else (),
        )
        for row in found
    ]


def _add_application_user(store: Store, client_id: str, object_id: str, name: str) -> None:
    table = store.schema["systemuser"]
    unit = store.rows("SELECT businessunitid FROM businessunit WHERE parentbusinessunitid IS NULL")
    role = store.rows("SELECT roleid FROM role WHERE name = ?", [ADMINISTRATOR])
    key, now = str(uuid5(_USERS, client_id)), store.timestamp()
    row: Row = {table.key: key, "fullname": f"# {name}", "firstname": "#", "lastname": name}
    row |= {"applicationid": client_id, "azureactivedirectoryobjectid": object_id, "accessmode": 4}
    row |= {"businessunitid": unit[0]["businessunitid"], "isdisabled": 0}
    row |= {"createdon": now, "modifiedon": now, "versionnumber": store.next_version()}
    store.insert(table, [row])
    store.connection.execute(
        "INSERT INTO systemuserroles (systemuserid, roleid) VALUES (?, ?)", [key, role[0]["roleid"]]
    )
