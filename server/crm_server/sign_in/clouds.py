"""Microsoft's clouds: where their environments are, and where one signs in to them.

https://learn.microsoft.com/power-platform/admin/new-datacenter-regions
https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from crm_server.settings import Settings


@dataclass(frozen=True, slots=True)
class Cloud:
    """A cloud: its authority, and how the host names of its environments end."""

    name: str
    authority: str
    hosts: tuple[str, ...]


CLOUDS = (
    Cloud("public", "https://login.microsoftonline.com", (".dynamics.com",)),
    Cloud("gcc", "https://login.microsoftonline.com", (".crm9.dynamics.com",)),
    Cloud("gcc-high", "https://login.microsoftonline.us", (".crm.microsoftdynamics.us",)),
    Cloud("dod", "https://login.microsoftonline.us", (".crm.appsplatform.us",)),
    Cloud("china", "https://login.partner.microsoftonline.cn", (".dynamics.cn",)),
)
"""In the order in which they are guessed, the more particular host last."""

BY_NAME = {cloud.name: cloud for cloud in CLOUDS}
AUTHORITIES = frozenset(cloud.authority for cloud in CLOUDS)


def cloud_of(settings: Settings) -> Cloud:
    """The cloud that was set, or the one that the environment's address tells; the public one otherwise."""
    if settings.cloud is not None:
        return BY_NAME[settings.cloud]
    host = urlsplit(settings.url or "").hostname or ""
    fitting = [cloud for cloud in CLOUDS if host.endswith(cloud.hosts)]
    return fitting[-1] if fitting else CLOUDS[0]


def authority_of(settings: Settings) -> str:
    """The address at which to sign in, without the tenant."""
    return settings.authority or cloud_of(settings).authority
