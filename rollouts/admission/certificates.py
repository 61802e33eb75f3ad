"""The webhook's certificate and the authority that has signed it.

Owns making them and when they are renewed. An authority signs one certificate and its key is forgotten at once: nobody can sign
another one. Must not: store anything.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

VALID = timedelta(days=90)
RENEWED_BEFORE = timedelta(days=30)
BEFORE = timedelta(hours=1)
"""Certificates are valid from a little earlier, so that a clock that is behind does no harm."""
MOST_AUTHORITIES = 4
CERTIFICATE, KEY, AUTHORITIES = "tls.crt", "tls.key", "ca.crt"


class BadCertificate(ValueError):
    """What is stored cannot be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """One certificate with its key, and whom to trust: PEM."""

    certificate: bytes
    key: bytes = field(repr=False)
    authorities: bytes
    """The newest first; older ones as long as they are valid, because another replica may still use what they have signed."""

    @classmethod
    def of(cls, data: Mapping[str, str]) -> Certificate:
        """Read the data of a Secret.

        Raises:
            BadCertificate: something is missing or no base64.
        """
        try:
            certificate, key, authorities = (
                base64.b64decode(data[name], validate=True) for name in (CERTIFICATE, KEY, AUTHORITIES)
            )
        except (KeyError, TypeError, binascii.Error) as error:
            raise BadCertificate(f"{error}") from None
        return cls(certificate=certificate, key=key, authorities=authorities)

    def data(self) -> dict[str, str]:
        """Return the data of a Secret."""
        found = {CERTIFICATE: self.certificate, KEY: self.key, AUTHORITIES: self.authorities}
        return {name: base64.b64encode(content).decode() for name, content in found.items()}


def issue(names: Sequence[str], now: datetime, *, known: bytes = b"") -> Certificate:
    """Make a certificate for these DNS names, with an authority of its own.

    Args:
        names: of the server.
        now: from when it is valid, for 90 days.
        known: authorities that are trusted until now; those still valid remain so.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID

    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = _described("rollouts webhook authority", key=authority_key, now=now, issuer=None)
    root = authority.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True).sign(
        authority_key, hashes.SHA256()
    )
    served = _described(names[0][:64], key=key, now=now, issuer=root)
    served = served.add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
    served = served.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return Certificate(
        certificate=served.sign(authority_key, hashes.SHA256()).public_bytes(pem),
        key=key.private_bytes(pem, form, serialization.NoEncryption()),
        authorities=root.public_bytes(pem) + b"".join(_valid(known, now)[: MOST_AUTHORITIES - 1]),
    )


def _described(
    name: str, *, key: ec.EllipticCurvePrivateKey, now: datetime, issuer: x509.Certificate | None
) -> x509.CertificateBuilder:
    """Return what is to be signed, by the key of `issuer` or by its own."""
    from cryptography import x509

    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer.subject if issuer else subject)
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - BEFORE).not_valid_after(now + VALID)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    if issuer is None:
        return builder.add_extension(identifier, critical=False)
    signer: Any = issuer.public_key()
    return builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer), critical=False)


def _valid(authorities: bytes, now: datetime) -> list[bytes]:
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    try:
        found = x509.load_pem_x509_certificates(authorities) if authorities.strip() else []
    except ValueError:
        return []
    return [one.public_bytes(serialization.Encoding.PEM) for one in found if one.not_valid_after_utc > now]


def is_due(certificate: Certificate, names: Sequence[str], now: datetime) -> bool:
    """Tell whether a certificate is to be replaced: it runs out, is for other names, or is no certificate at all."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        found = x509.load_pem_x509_certificate(certificate.certificate)
        key = load_pem_private_key(certificate.key, None)
        known = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)
        authorities = x509.load_pem_x509_certificates(certificate.authorities)
    except (ValueError, TypeError, x509.ExtensionNotFound):
        return True
    fits = key.public_key() == found.public_key() and any(_has_signed(one, found) for one in authorities)
    return not fits or found.not_valid_after_utc - now < RENEWED_BEFORE or not set(names) <= set(known)


def _has_signed(authority: x509.Certificate, certificate: x509.Certificate) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        certificate.verify_directly_issued_by(authority)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True
