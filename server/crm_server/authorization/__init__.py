"""Who calls over HTTP: an OAuth 2.1 resource server as the MCP authorization specification wants it.

::

    rules      whom to believe: issuers, audiences, tenants, services, as the settings say
    keys       the issuers' signing keys, fetched once and again when they change
    tokens     a token, checked: its caller, or why it is refused
    lab        callers of a file, for a lab without an issuer
    resource   the protected resource metadata, and what a refusal says
    guard      each request is a caller's, or refused

https://modelcontextprotocol.io/specification/2025-11-25/basic/authorization
"""
