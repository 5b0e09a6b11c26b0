"""Whether a certificate is that of a host."""

from __future__ import annotations

from cryptography.x509 import Certificate
from service_identity import CertificateError, VerificationError
from service_identity.cryptography import (
    verify_certificate_hostname,
    verify_certificate_ip_address,
)

from smtpeter.units import is_ip_address


def is_for(certificate: Certificate, host: str) -> bool:
    """
    Whether a certificate names a host.

    Args:
        host: its name as A-labels, or its IP address.
    """
    verify = verify_certificate_ip_address if is_ip_address(host) else verify_certificate_hostname
    try:
        verify(certificate, host)
    except (VerificationError, CertificateError, ValueError):
        return False
    return True
