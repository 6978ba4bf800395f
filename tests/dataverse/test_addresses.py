"""A token goes to public addresses; to private ones where that was set; to a cloud's metadata never."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest

from crm_server.dataverse.addresses import PrivateAddressError, Resolve, refuse_private
from crm_server.dataverse.client import DataverseClient
from crm_server.dataverse.sender import Sender
from crm_tools.description import load
from crm_tools.errors import UnavailableError
from crm_tools.operations import Query
from tests.dataverse.faulty_crm import FaultyCrm, answer, faulty_crm

pytestmark = pytest.mark.anyio
HOST = "contoso.crm.dynamics.com"
PUBLIC = ("52.146.1.1", "2603:1030:20e::1", "64:ff9b::3492:101", "::ffff:52.146.1.1")
PRIVATE = (
    "10.0.0.5",
    "172.16.3.4",
    "192.168.1.5",
    "100.64.0.1",
    "127.0.0.1",
    "127.9.9.9",
    "198.18.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::1",
    "fd00::1",
    "fec0::1",
    "::ffff:10.0.0.5",
    "64:ff9b::a00:5",
    "2002:a00:5::1",
    "2001:db8::1",
    "::7f00:1",
)
NOBODYS = (
    "169.254.169.254",
    "169.254.0.1",
    "0.0.0.0",  # noqa: S104 - is refused
    "224.0.0.1",
    "::",
    "fe80::1",
    "fe80::1%eth0",
    "ff02::1",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
)


def is_taken(*addresses: str, host: str = HOST, allowed: bool = False) -> bool:
    """Whether a token may go to a host at these addresses."""
    try:
        refuse_private(host, addresses, allowed=allowed)
    except PrivateAddressError:
        return False
    return True


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_taken(address: str) -> None:
    assert is_taken(address)


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_address_needs_the_setting(address: str) -> None:
    with pytest.raises(PrivateAddressError, match="DYNAMICS_PRIVATE_NETWORK=true") as refusal:
        refuse_private(HOST, [address], allowed=False)
    assert address not in refusal.value.message
    assert is_taken(address, allowed=True)


@pytest.mark.parametrize("allowed", [False, True])
@pytest.mark.parametrize("address", NOBODYS)
def test_a_special_address_is_never_taken(address: str, allowed: bool) -> None:
    with pytest.raises(PrivateAddressError, match="DYNAMICS_URL"):
        refuse_private(HOST, [address], allowed)


def test_one_private_address_among_public_ones_is_enough() -> None:
    assert is_taken(*PUBLIC)
    assert not is_taken(*PUBLIC, "10.0.0.5")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1", "127.0.0.2"])
def test_this_machine_is_taken_where_it_was_named(host: str) -> None:
    assert is_taken("127.0.0.1", "::1", host=host)
    assert not is_taken("10.0.0.5", host=host)


def resolving_to(*addresses: str) -> Resolve:
    async def resolve(_host: str, _port: int) -> Iterable[str]:
        return addresses

    return resolve


async def never(_host: str, _port: int) -> Iterable[str]:
    raise AssertionError("a proxy does this")


async def unknown(_host: str, _port: int) -> Iterable[str]:
    raise OSError("no such name")


async def ask(url: str, resolve: Resolve, *, private_network: bool = False) -> int:
    """How many rows the CRM at the address answers. Waiting takes no time, and fails."""

    async def sleep(_seconds: float) -> None:
        raise AssertionError("a refusal is not tried again")

    sender = Sender(url, sleep=sleep, rng=random.Random(7), private_network=private_network, resolve=resolve)
    client = DataverseClient(sender, load().tables)
    try:
        return len((await client.query(Query("lead", select=("leadid",), top=1))).rows)
    finally:
        await client.aclose()


def port(crm: FaultyCrm) -> str:
    return crm.url.rpartition(":")[2]


@pytest.mark.parametrize("addresses", [("10.0.0.5",), (*PUBLIC, "169.254.169.254")])
async def test_a_name_that_leads_to_a_private_address_is_not_connected_to(addresses: tuple[str, ...]) -> None:
    with pytest.raises(PrivateAddressError):
        await ask(f"https://{HOST}", resolving_to(*addresses))


@pytest.mark.parametrize("url", ["https://169.254.169.254", "https://10.0.0.5", "https://[fd00::1]"])
async def test_an_address_in_the_place_of_a_name_is_refused_with_a_proxy_too(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(PrivateAddressError):
        await ask(url, never)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with pytest.raises(PrivateAddressError):
        await ask(url, never)


async def test_a_name_that_leads_elsewhere_when_it_is_connected_to_gets_nothing() -> None:
    async with faulty_crm() as crm:
        # The system takes this for 127.0.0.1, as an attacker's name would be resolved the second time.
        with pytest.raises(PrivateAddressError):
            await ask(f"http://127.1:{port(crm)}", resolving_to("52.146.1.1"))
        assert crm.seen == []
        assert await ask(f"http://127.1:{port(crm)}", resolving_to("10.0.0.5"), private_network=True) == 1


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_a_sandbox_on_this_machine_is_connected_to(host: str) -> None:
    async with faulty_crm() as crm:
        assert await ask(f"http://{host}:{port(crm)}", resolving_to("127.0.0.1")) == 1


async def test_a_proxy_resolves_names_itself_and_may_be_at_a_private_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with faulty_crm() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        proxy.script = [answer(200, b'{"value": []}')]
        assert await ask(f"http://{HOST}", never) == 0
        assert proxy.seen[0][1].startswith(f"http://{HOST}/api/data/v9.2/leads")


async def test_a_name_that_does_not_resolve_is_no_connection() -> None:
    with pytest.raises(AssertionError, match="not tried again"):  # tried again, as each lost connection
        await ask("http://127.1:9", unknown)


def test_the_refusal_is_an_error_of_a_call() -> None:
    assert issubclass(PrivateAddressError, UnavailableError)
