"""What outlives a call, and is shared by all processes on one database.

Budgets, plans that wait for a human, the journal of changes, jobs of many rows, and the audit::

    state    what the rest of the server asks for, one transaction each
    ledger   counts what the limits limit
    plans    changes that wait for a human (as values: proposals)
    journal  each write, with what it changed
    jobs     jobs of many rows, and which run carries each out
    readers  who was shown text of strangers
    tokens   what was got on behalf of callers, sealed (visits: sessions of the page that were ended)
    audit    each call and decision, in a signed chain (events: some of what is in it)
    chain    the whole of it, page by page: verified, exported, signed anew
    noting   what is noted without being waited for, or later
    news     what one process tells the others (topics: of what)
    pruning  what is forgotten, and when
    store    the database and its one thread
    opening  where it is
    schema   its tables, and their migrations
    keys     the server's secrets

SQLAlchemy is imported by the first use, not by the start.
"""

from crm_server.state.opening import open_memory, open_state
from crm_server.state.pruning import REMEMBERED, Retention
from crm_server.state.state import Begun, Reserved, State
from crm_server.state.store import IN_MEMORY

__all__ = ["IN_MEMORY", "REMEMBERED", "Begun", "Reserved", "Retention", "State", "open_memory", "open_state"]
