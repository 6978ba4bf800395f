"""The server over HTTP: one application, from what a request may be to the transports that answer it.

::

    options      how it is served: address, hosts, origins, limits
    messages     bodies: read whole, within size and time, and looked at for what they ask
    turns        how many calls are under way, of each caller and in all
    health       whether the process lives, and whether it can serve
    metrics      what is measured, for Prometheus
    application  all of it put together

A request passes them from the outside in; what is refused costs little and says why.
"""
