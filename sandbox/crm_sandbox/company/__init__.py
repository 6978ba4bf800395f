"""The sample company: a sales team with its accounts, contacts, leads, opportunities and what was done.

The same seed and size give the same rows with the same ids, whatever the clock says. Days are spread round
:data:`crm_sandbox.company.days.TODAY`.
"""

from crm_sandbox.company.filling import fill

__all__ = ["fill"]
