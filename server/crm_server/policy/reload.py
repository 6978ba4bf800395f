"""A policy that can be read anew while the server runs."""

from __future__ import annotations

from collections.abc import Mapping

from crm_server.log import get_logger
from crm_server.policy.load import PolicyFileError, load_policy
from crm_server.policy.model import Policy
from crm_tools.tables import Table

_log = get_logger("policy")


class ReloadablePolicy:
    """The policy in force. A file that cannot be used never takes the place of one that could.

    ``tables`` are the tables that the policy may speak of, by logical name.

    Raises:
        PolicyFileError: The policy cannot be read, so there is none to begin with.
    """

    def __init__(self, name_or_path: str, tables: Mapping[str, Table]) -> None:
        self._name_or_path = name_or_path
        self._tables = tables
        self._current = load_policy(name_or_path, tables)

    @property
    def current(self) -> Policy:
        """The policy in force now. A call keeps the one that it began with."""
        return self._current

    def reload(self, tables: Mapping[str, Table] | None = None) -> str | None:
        """Read the policy, and all that it extends, anew; also for other tables, where they are given.

        Returns:
            None when the new policy is in force; else why it is not. Then the old one stays in force, with
            the tables that it was read for.
        """
        wanted = self._tables if tables is None else tables
        try:
            policy = load_policy(self._name_or_path, wanted)
        except PolicyFileError as error:
            _log.error("policy_kept", problem=str(error))
            return str(error)
        self._tables, self._current = wanted, policy
        _log.info("policy_reloaded", policy=policy.name, rules=len(policy.rules))
        return None
