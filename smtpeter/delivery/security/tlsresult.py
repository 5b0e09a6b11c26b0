"""What became of the security of a session, in the words of RFC 8460 section 4.3."""

from __future__ import annotations

import enum

from smtpeter.values import frozen


class TlsResult(enum.Enum):
    """A success, or the kind of a failure."""

    SUCCESS = ""
    STARTTLS_NOT_SUPPORTED = "starttls-not-supported"
    CERTIFICATE_HOST_MISMATCH = "certificate-host-mismatch"
    CERTIFICATE_EXPIRED = "certificate-expired"
    CERTIFICATE_NOT_TRUSTED = "certificate-not-trusted"
    VALIDATION_FAILURE = "validation-failure"
    TLSA_INVALID = "tlsa-invalid"
    DNSSEC_INVALID = "dnssec-invalid"
    DANE_REQUIRED = "dane-required"
    STS_POLICY_FETCH_ERROR = "sts-policy-fetch-error"
    STS_POLICY_INVALID = "sts-policy-invalid"
    STS_WEBPKI_INVALID = "sts-webpki-invalid"


class PolicyType(enum.Enum):
    """What a session was measured by."""

    TLSA = "tlsa"
    STS = "sts"
    NONE = "no-policy-found"


@frozen
class TlsFault:
    """What is wrong with the security of a session, in a few words too."""

    result: TlsResult
    text: str
