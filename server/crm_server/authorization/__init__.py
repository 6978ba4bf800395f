"""Who calls over HTTP: an OAuth 2.1 resource server as the MCP authorization specification wants it.

::

    rules      whom to believe: issuers, audiences, tenants, services, as the settings say
    documents  what an issuer says of itself, fetched within size and time
    keys       the issuers' signing keys, fetched once and again when they change
    claims     what a token says of its caller, read strictly
    tokens     a token, checked: its caller, or why it is refused
    lab        callers of a file, for a lab without an issuer
    resource   the protected resource metadata, and what a refusal says
    guard      each request is a caller's, or refused

https://modelcontextprotocol.io/specification/2025-11-25/basic/authorization
"""
