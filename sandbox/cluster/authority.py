"""Certificates and keys of one real control plane: its authority, its servers, and what service-account tokens are signed with.

Owns making and writing them. Must not: keep the authority's key; nothing is ever added to what it has signed.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALID = timedelta(days=365)
BEFORE = timedelta(hours=1)
"""Certificates are valid from a little earlier, so that a clock that is set back does no harm."""
NAMES = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")


def make_authority(folder: Path, *, addresses: Sequence[str]) -> None:
    """Write `ca.crt`, `server.pem` (certificate and key for the addresses and the API's names) and `accounts.key`.

    The files are readable for this user alone.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("rollouts sandbox")
    authority = _certificate(name, issuer=name, key=key, extensions=[(x509.BasicConstraints(ca=True, path_length=0), True)])
    signed = authority.sign(key, hashes.SHA256())
    server = ec.generate_private_key(ec.SECP256R1())
    known = [*(x509.DNSName(one) for one in NAMES), *(x509.IPAddress(ipaddress.ip_address(one)) for one in addresses)]
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.SubjectAlternativeName(known), False),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), False),
    ]
    serving = _certificate(_name("kube-apiserver"), issuer=name, key=server, extensions=extensions).sign(key, hashes.SHA256())
    _write(folder / "ca.crt", signed.public_bytes(serialization.Encoding.PEM))
    _write(folder / "server.pem", serving.public_bytes(serialization.Encoding.PEM) + _pem(server))
    _write(folder / "accounts.key", _pem(ec.generate_private_key(ec.SECP256R1())))


def _certificate(
    subject: x509.Name,
    *,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    extensions: Sequence[tuple[x509.ExtensionType, bool]],
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - BEFORE).not_valid_after(now + VALID)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )


def _write(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
