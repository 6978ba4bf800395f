"""Trouble on demand: what goes wrong between a client and a real Dataverse, at will and repeatably.

:class:`Trouble` goes round the Web API application. It enforces the service protection limits, adds latency,
commits the faults of a :class:`FaultScript`, keeps a log of what was asked, and answers a control endpoint
under ``/sandbox/`` if it is asked to. A server that is to drop connections for real runs with
:class:`crm_sandbox.trouble.serving.HangUpProtocol`; without it :class:`ConnectionDropped` is raised instead.
"""

from __future__ import annotations

from crm_sandbox.trouble.control import Hooks
from crm_sandbox.trouble.faults import FaultScript, FaultScriptError
from crm_sandbox.trouble.hanging_up import ConnectionDropped
from crm_sandbox.trouble.limits import Limits
from crm_sandbox.trouble.middleware import Trouble

__all__ = ["ConnectionDropped", "FaultScript", "FaultScriptError", "Hooks", "Limits", "Trouble"]
