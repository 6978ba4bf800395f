"""``dynamics-crm-mcp doctor``: whether all that the server needs is there, and what to do where it is not.

::

    outcomes    what a check says: ok, a warning, failed, or skipped
    context     what checks look at, and what earlier ones found for later ones
    checks      the one list of checks, each with those it needs; runs them in their order
    local       settings, policy, files, tools: what is on this machine
    stored      the state and its key
    probing     one request to an address without a token: reached, trusted, and what time it is there
    network     the environment's address, clocks, the issuer of callers
    page        who may approve on the page, and what has to be registered for it
    page_sign_in whether the issuer signs people in to it
    signed_in   sign-in, who one is, search: what takes a token
    tables      the tables and columns that settings and policy name, as the environment has them
    rights      what the policy allows beside what Dataverse allows
    printing    outcomes as lines of text or JSON

A check asks and never changes anything, but for a file that it makes in a folder and removes, and a row that
it writes to the state and takes back.
"""

from crm_server.doctor.checks import examine
from crm_server.doctor.outcomes import Outcome, Status

__all__ = ["Outcome", "Status", "examine"]
