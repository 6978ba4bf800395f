"""What replicas tell each other of (:mod:`crm_server.state.news`)."""

POLICY = "policy"
"""A policy was read anew; after the word stands the digest of what was read."""
TABLES = "tables"
ANYTHING = "anything"
"""News may have been missed: any of it may have changed."""
