"""The server over HTTP: one application, from what a request may be to the transports that answer it.

::

    impatience   connections that end if nothing comes of them, or too much
    options      how it is served: address, hosts, origins, limits
    bodies       read whole, within size, time and room
    messages     what a body asks, and whether it is a message at all
    turns        how many calls are under way, of each caller and in all
    health       whether the process lives, and whether it can serve
    metrics      what is measured, for Prometheus
    application  all of it put together

A request passes them from the outside in; what is refused costs little and says why.
"""
