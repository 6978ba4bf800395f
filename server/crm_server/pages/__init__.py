"""The page for approvals and audit: for people with a browser, beside the protocol for assistants.

::

    visitors   who looks at the page, and what they may do
    sealing    sessions and sign-ins under way, sealed in cookies, so that any replica answers
    signing_in by the callers' issuer (OpenID Connect), or in a lab by a token
    answering  templates, headers, and refusals as pages
    reading    what the pages show, read from the state
    acting     what is done: a plan decided, a change taken back, the audit verified
    site       all of it put together: addresses, sessions, forms

Every page works without a script; the one script only keeps the waiting plans up to date. Nothing comes from
another site.
"""
