"""``dynamics-crm-mcp entra``: registers a team's server in Microsoft Entra ID, by commands to read and run.

::

    registration   the application: scopes, roles, addresses, permissions, as Microsoft Graph takes them
    script         the commands of the Azure CLI that make it so, and the settings that go with it
"""

from crm_server.entra.registration import Registration
from crm_server.entra.script import script

__all__ = ["Registration", "script"]
