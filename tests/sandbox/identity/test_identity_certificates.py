"""The certificates of a server on this machine."""

from __future__ import annotations

import ssl
import stat
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from crm_sandbox.identity import make_certificates, make_client_certificate
from tests.sandbox.identity import identity_service

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)


def contents(certificates):
    files = (certificates.ca_file, certificates.certificate_file, certificates.key_file)
    return [file.read_bytes() for file in files]


def names_of(certificates):
    server = x509.load_pem_x509_certificate(certificates.certificate_file.read_bytes())
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    dns = names.get_values_for_type(x509.DNSName)
    return {*dns, *map(str, names.get_values_for_type(x509.IPAddress))}


def test_the_certificate_is_for_this_machine_and_the_names_given(tmp_path):
    made = make_certificates(tmp_path / "new" / "folder", ["crm.internal", "192.0.2.7"])
    assert names_of(made) == {"localhost", "127.0.0.1", "::1", "crm.internal", "192.0.2.7"}
    assert ip_address("::1") is not None


def test_a_server_can_load_them_and_only_its_owner_can_read_the_key(tmp_path):
    made = make_certificates(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.certificate_file, made.key_file)
    assert stat.S_IMODE(made.key_file.stat().st_mode) == 0o600
    assert sorted(file.name for file in tmp_path.iterdir()) == ["ca.pem", "server.key", "server.pem"]


def test_good_certificates_are_used_again(tmp_path):
    made = make_certificates(tmp_path, ["crm.internal"], NOW)
    before = contents(made)
    made.key_file.chmod(0o644)
    again = make_certificates(tmp_path, now=NOW + timedelta(days=300))
    assert contents(again) == before
    assert stat.S_IMODE(again.key_file.stat().st_mode) == 0o600


@pytest.mark.parametrize(("names", "days"), [(["crm.internal"], 0), ([], 396), ([], -1)])
def test_certificates_that_lack_a_name_or_are_out_of_time_are_made_anew(tmp_path, names, days):
    before = contents(make_certificates(tmp_path, now=NOW))
    after = make_certificates(tmp_path, names, NOW + timedelta(days=days))
    assert all(new != old for new, old in zip(contents(after), before, strict=True))
    assert set(names) <= names_of(after)


@pytest.mark.parametrize("damaged", ["ca.pem", "server.pem", "server.key"])
@pytest.mark.parametrize("content", [b"", b"nonsense", "other", None])
def test_damaged_certificates_are_made_anew(tmp_path, damaged, content):
    made = make_certificates(tmp_path)
    file = tmp_path / damaged
    if content is None:
        file.unlink()
    else:
        private, public, _ = (
            identity_service.make_client_certificate() if content == "other" else ("", "", "")
        )
        other = (private if damaged == "server.key" else public).encode()
        file.write_bytes(other if content == "other" else content)
    before = made.key_file.read_bytes() if made.key_file.exists() else None
    again = make_certificates(tmp_path)
    assert again.key_file.read_bytes() != before
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(again.certificate_file, again.key_file)


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="file"):
        make_certificates(tmp_path / "file" / "folder")


def test_a_name_that_no_certificate_can_hold_is_told(tmp_path):
    with pytest.raises(ValueError, match="name"):
        make_certificates(tmp_path, ["m\u00fcller.example"])


def test_the_certificate_of_the_application_is_used_again_and_only_its_owner_reads_it(tmp_path):
    made = make_client_certificate(tmp_path / "new" / "folder", NOW)
    made.file.chmod(0o644)
    again = make_client_certificate(made.file.parent, NOW + timedelta(days=300))
    assert again == made
    assert stat.S_IMODE(made.file.stat().st_mode) == 0o600
    assert "PRIVATE" in made.file.read_text()
    assert "PRIVATE" not in made.public


@pytest.mark.parametrize("days", [396, -1])
def test_a_certificate_of_the_application_that_is_out_of_time_is_made_anew(tmp_path, days):
    made = make_client_certificate(tmp_path, NOW)
    assert make_client_certificate(tmp_path, NOW + timedelta(days=days)).public != made.public


@pytest.mark.parametrize("damage", ["empty", "text", "no key", "another key", "a key with a password"])
def test_a_damaged_certificate_of_the_application_is_made_anew(tmp_path, damage):
    made = make_client_certificate(tmp_path, NOW)
    other_key = identity_service.make_client_certificate()[0]
    locked = load_pem_private_key(other_key.encode(), None).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"word")
    )
    contents = {
        "empty": "",
        "text": "nonsense \u00e9",
        "no key": made.public,
        "another key": other_key + made.public,
        "a key with a password": locked.decode() + made.public,
    }
    made.file.write_text(contents[damage])
    again = make_client_certificate(tmp_path, NOW)
    assert again.public != made.public
    assert make_client_certificate(tmp_path, NOW) == again
