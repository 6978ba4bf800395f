"""What an assistant may do in the CRM, decided for each access by pure functions.

:mod:`~crm_server.policy.model` holds the values, :mod:`~crm_server.policy.decide` the one decision
procedure, :mod:`~crm_server.policy.load` reads policies from files, :mod:`~crm_server.policy.explain`
prints them and their decisions.
"""
