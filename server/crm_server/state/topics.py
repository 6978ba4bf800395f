"""What replicas tell each other of (:mod:`crm_server.state.news`)."""

POLICY = "policy"
TABLES = "tables"
ANYTHING = "anything"
"""News may have been missed: any of it may have changed."""
