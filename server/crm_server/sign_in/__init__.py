"""Ways to sign in to Dataverse. Each is one row of :data:`crm_server.sign_in.modes.MODES`."""

from crm_server.sign_in.modes import MODES, auth_for, provider_for

__all__ = ["MODES", "auth_for", "provider_for"]
