"""A certificate authority and a server certificate for this machine, so that the sandbox can speak TLS.

The key of the authority is thrown away once it has signed: whoever trusts ``ca.pem`` trusts this one server
certificate and nothing that could be made later.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

ALWAYS_NAMED = ("localhost", "127.0.0.1", "::1")
LIFETIME = timedelta(days=397)
"""Browsers refuse server certificates that live longer."""

_RENEWED_BEFORE = timedelta(days=1)
_CLOCK_SKEW = timedelta(hours=1)
_NEEDED_FILES = ("ca.pem", "server.pem", "server.key")
_CLIENT_FILE = "client.pem"
_CLIENT_KEY_SIZE = 2048


@dataclass(frozen=True, slots=True)
class Certificates:
    """The files of a server that speaks TLS: its authority, its certificate and its private key, all PEM."""

    ca_file: Path
    certificate_file: Path
    key_file: Path


def make_certificates(folder: Path, names: Iterable[str] = (), now: datetime | None = None) -> Certificates:
    """The certificates in a folder; made anew where they are missing, unfit, about to end, or lack a name.

    ``names`` are DNS names or addresses besides those of this machine.

    Raises:
        OSError: The folder cannot be written or read.
        ValueError: A name can be in no certificate.
    """
    moment = now or datetime.now(UTC)
    wanted = tuple(dict.fromkeys([*ALWAYS_NAMED, *names]))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = Certificates(*(folder / name for name in _NEEDED_FILES))
    if not _usable(made, wanted, moment):
        _write_new(made, wanted, moment)
    return made


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """The certificate of an application: the file that also holds its key, and the public part, both PEM."""

    file: Path
    public: str


def make_client_certificate(folder: Path, now: datetime | None = None) -> ClientCertificate:
    """The certificate in a folder with which an application signs in; made anew where it is unfit.

    https://learn.microsoft.com/entra/identity-platform/certificate-credentials

    Raises:
        OSError: The folder cannot be written or read.
    """
    moment = now or datetime.now(UTC)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = folder / _CLIENT_FILE
    public = _usable_client(file, moment) if file.is_file() else None
    return ClientCertificate(file, _write_new_client(file, moment) if public is None else public)


def _usable_client(file: Path, moment: datetime) -> str | None:
    """The public part of a file that can go on to be used."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

    os.chmod(file, 0o600)
    content = file.read_bytes()
    try:
        certificate = x509.load_pem_x509_certificate(content)
        key = load_pem_private_key(content, password=None)
    except (ValueError, TypeError):
        return None
    if key.public_key() != certificate.public_key() or not _in_time(certificate, moment):
        return None
    return certificate.public_bytes(Encoding.PEM).decode()


def _write_new_client(file: Path, moment: datetime) -> str:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509.oid import NameOID

    key = generate_private_key(public_exponent=65537, key_size=_CLIENT_KEY_SIZE)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "CRM sandbox application")])
    public = _dated(name, name, key, moment).sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    _write(file, _private_bytes(key) + public, 0o600)
    return public.decode()


def _in_time(certificate: x509.Certificate, moment: datetime) -> bool:
    ends = certificate.not_valid_after_utc - _RENEWED_BEFORE
    return certificate.not_valid_before_utc <= moment < ends


def _usable(found: Certificates, names: tuple[str, ...], moment: datetime) -> bool:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    if not all(path.is_file() for path in (found.ca_file, found.certificate_file, found.key_file)):
        return False
    os.chmod(found.key_file, 0o600)
    try:
        authority = x509.load_pem_x509_certificate(found.ca_file.read_bytes())
        server = x509.load_pem_x509_certificate(found.certificate_file.read_bytes())
        key = load_pem_private_key(found.key_file.read_bytes(), password=None)
        server.verify_directly_issued_by(authority)
        named = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    in_time = all(_in_time(one, moment) for one in (authority, server))
    all_named = all(name in named for name in _general_names(names))
    return in_time and all_named and key.public_key() == server.public_key()


def _write_new(files: Certificates, names: tuple[str, ...], moment: datetime) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509.oid import NameOID

    authority_key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "CRM sandbox authority")])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "CRM sandbox")])
    authority = _authority(_dated(issuer, issuer, authority_key, moment), authority_key)
    server = _server(_dated(subject, issuer, server_key, moment), names, server_key, authority_key)
    _write(files.key_file, _private_bytes(server_key), 0o600)
    _write(files.certificate_file, server.public_bytes(Encoding.PEM), 0o644)
    _write(files.ca_file, authority.public_bytes(Encoding.PEM), 0o644)


def _private_bytes(key: EllipticCurvePrivateKey | RSAPrivateKey) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _dated(
    subject: x509.Name,
    issuer: x509.Name,
    key: EllipticCurvePrivateKey | RSAPrivateKey,
    moment: datetime,
) -> x509.CertificateBuilder:
    from cryptography import x509

    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - _CLOCK_SKEW)
        .not_valid_after(moment - _CLOCK_SKEW + LIFETIME)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _authority(builder: x509.CertificateBuilder, key: EllipticCurvePrivateKey) -> x509.Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    usage = _key_usage(signs_certificates=True)
    return (
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )


def _server(
    builder: x509.CertificateBuilder,
    names: tuple[str, ...],
    key: EllipticCurvePrivateKey,
    authority_key: EllipticCurvePrivateKey,
) -> x509.Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID

    issuer_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    return (
        builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(_general_names(names)), critical=False)
        .add_extension(issuer_id, critical=False)
        .sign(authority_key, hashes.SHA256())
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _general_names(names: tuple[str, ...]) -> list[x509.GeneralName]:
    from cryptography import x509

    found: list[x509.GeneralName] = []
    for name in names:
        try:
            found.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            found.append(_dns_name(name))
    return found


def _dns_name(name: str) -> x509.DNSName:
    from cryptography import x509

    if not name.isascii():
        raise ValueError(
            f"the name '{name}' cannot stand in a certificate: write it in its ASCII form (xn--...)"
        )
    return x509.DNSName(name)


def _write(path: Path, content: bytes, mode: int) -> None:
    """Replace a file as a whole: a reader sees the old or the new one, never with wider rights."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    os.chmod(part, mode)
    os.replace(part, path)
