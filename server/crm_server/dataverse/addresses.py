"""Which addresses a token may go to: public ones, this machine if named, a private network if allowed.

A name tells nothing of where it leads, and may lead elsewhere a moment later (DNS rebinding). So what a name
resolves to is checked before a connection is made, and the address that is really connected to before
anything is sent. An HTTP proxy resolves names itself, and keeps to rules of its own.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any

import anyio

from crm_tools.errors import UnavailableError

RESOLVE_SECONDS = 5.0

Resolve = Callable[[str, int], Awaitable[Iterable[str]]]
"""Finds the addresses of a host and port; :class:`OSError` when there are none."""

# Gateways to IPv4 put its address into the last 32 bits.
# https://www.rfc-editor.org/rfc/rfc6052#section-2.1
_NAT64 = IPv6Network("64:ff9b::/96")


class PrivateAddressError(UnavailableError):
    """The environment's host is at an address that it was not configured for. Nothing was sent."""


def refuse_private(host: str, addresses: Iterable[str], allowed: bool) -> None:
    """Return if a token for ``host`` may go to all of its ``addresses``.

    ``allowed`` lets it go to private networks; never to link-local addresses, where clouds keep the
    credentials of their machines, and to those of no machine in particular.

    Raises:
        PrivateAddressError: To one of them it may not.
    """
    here = _is_this_machine(host)
    for text in addresses:
        address = _innermost(ip_address(text))
        if here and address.is_loopback:
            continue
        if _is_nobodys(address):
            raise PrivateAddressError(
                "DYNAMICS_URL leads to a link-local or otherwise special address, where no environment is. "
                "Nothing was sent. An administrator checks DYNAMICS_URL and what its name resolves to."
            )
        if not allowed and not _is_public(address):
            raise PrivateAddressError(
                "DYNAMICS_URL leads to a private address. Nothing was sent. An administrator checks "
                "DYNAMICS_URL, or sets DYNAMICS_PRIVATE_NETWORK=true if the environment is reached over a "
                "private network on purpose."
            )


async def resolve(host: str, port: int) -> Iterable[str]:
    """The addresses that the system knows for a host."""
    found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


Watch = Callable[[str, Mapping[str, Any]], Awaitable[None]]


def watch(host: str, allowed: bool, resolving: Resolve = resolve) -> Watch:
    """What httpcore is to tell of the connections it makes, so that those to ``host`` are checked.

    https://www.encode.io/httpcore/extensions/#trace

    Raises:
        PrivateAddressError: ``host`` is such an address itself; a proxy is not asked for it either.
    """
    if _is_address(host):
        refuse_private(host, [host], allowed)
    connecting: set[int] = set()

    async def told(event: str, facts: Mapping[str, Any]) -> None:
        if event == "connection.connect_tcp.started":
            if facts["host"] == host:  # And not a proxy's.
                await _check_name(host, facts["port"], allowed, resolving)
                connecting.add(_task())
        elif event == "connection.connect_tcp.failed":
            connecting.discard(_task())
        elif event == "connection.connect_tcp.complete" and _task() in connecting:
            connecting.discard(_task())
            await _check_peer(host, facts["return_value"], allowed)

    return told


def _task() -> int:
    return anyio.get_current_task().id


async def _check_name(host: str, port: int, allowed: bool, resolving: Resolve) -> None:
    found: Iterable[str] = ()
    try:
        with anyio.move_on_after(RESOLVE_SECONDS):
            found = await resolving(host, port)
    except OSError:
        return  # The connection fails by itself.
    refuse_private(host, found, allowed)


async def _check_peer(host: str, stream: Any, allowed: bool) -> None:
    try:
        refuse_private(host, [stream.get_extra_info("server_addr")[0]], allowed)
    except PrivateAddressError:
        await stream.aclose()
        raise


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _is_this_machine(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ip_address(host).is_loopback)


def _innermost(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 address stands for, if it does."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _is_nobodys(address: IPv4Address | IPv6Address) -> bool:
    return address.is_link_local or address.is_multicast or address.is_unspecified


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address) and (address.is_site_local or address.is_reserved):
        return False
    return address.is_global
