"""The only way to the CRM: asks the policy about every operation, obeys, and only then calls the client.

No other module holds a Dataverse client, so a policy cannot be walked around::

    port       the port that handlers use: one call, one caller
    session    one call: its caller, the judge, the human who is asked, the client
    reads      rows, narrowed and masked
    writes     changes: looked at, judged, asked about, sent
    narrowing  adds what the policy narrows an operation to
    journaling notes each write before it is sent, and how it ended
    undoing    takes changes back
    reconciling finds out how writes ended that were interrupted
    masking    leaves of a row what may be shown
    acts       what is done to a record besides changing it
    insights   totals and searches
    bulk_jobs  jobs of many rows, kept in kept_jobs until they are carried out
    readers    who was shown text of strangers
    files      the folder for imports and exports
    standing   who the caller is, and what the policy leaves them to do
    crm        what all calls share
"""

from crm_server.gateway.crm import Crm
from crm_server.gateway.port import Gateway
from crm_server.gateway.session import Session, Tell, Trail, untold

__all__ = ["Crm", "Gateway", "Session", "Tell", "Trail", "untold"]
