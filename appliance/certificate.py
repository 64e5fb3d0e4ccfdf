"""With which certificate is the page served, and is it fit for that? The owner's own files, named in raas.yaml.

Files that can't be used are an error at the start. An end that has passed is none: machines without a clock wake up in another
year, and a page that browsers warn of can still stop the robot.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import NameOID

from appliance.config import WebSection
from appliance.errors import ConfigError


@dataclass(frozen=True)
class Certificate:
    """For which names it is, and from when to when it holds, s since the epoch."""

    names: tuple[str, ...]
    begins_s: float
    ends_s: float

    def problem(self, now_s: float) -> str:
        """Why browsers refuse it now; '' if they don't."""
        if now_s < self.begins_s:
            return f"The certificate holds from {_day(self.begins_s)} on; either it or this machine's clock is wrong."
        return f"The certificate ended on {_day(self.ends_s)}." if now_s >= self.ends_s else ""


def read(file: str) -> Certificate:
    """The first certificate of a file, which is the one that is shown. Raises ConfigError."""
    try:
        found = x509.load_pem_x509_certificates(Path(file).read_bytes())[0]
    except OSError as error:
        raise ConfigError(_unreadable("web.tls_cert", file, error)) from error
    except ValueError as error:
        raise ConfigError(
            f"web.tls_cert: {file} holds no certificate in PEM form (a text with BEGIN CERTIFICATE)."
        ) from error
    return Certificate(_names(found), found.not_valid_before_utc.timestamp(), found.not_valid_after_utc.timestamp())


def serving(web: WebSection) -> ssl.SSLContext | None:
    """What the page is served with; None where no certificate is named. Raises ConfigError."""
    if not web.tls_cert and not web.tls_key:
        return None
    if not web.tls_cert or not web.tls_key:
        missing = "web.tls_key" if web.tls_cert else "web.tls_cert"
        raise ConfigError(f"{missing} is missing: a page with TLS needs web.tls_cert and web.tls_key.")
    read(web.tls_cert)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(web.tls_cert, web.tls_key, password=lambda: b"")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise ConfigError(
                f"web.tls_key: {web.tls_key} is not the key of the certificate in {web.tls_cert}."
            ) from error
        raise ConfigError(
            f"web.tls_key: {web.tls_key} holds no private key in PEM form without a passphrase."
            " `openssl pkey -in OLD -out NEW` takes a passphrase away."
        ) from error
    except OSError as error:
        raise ConfigError(_unreadable("web.tls_key", web.tls_key, error)) from error
    return context


def _unreadable(key: str, file: str, error: OSError) -> str:
    return f"{key}: {file} can't be read ({error.strerror}). It must exist, and the page's user must be allowed to read it."


def _names(found: x509.Certificate) -> tuple[str, ...]:
    try:
        alternatives = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return tuple(str(each.value) for each in found.subject.get_attributes_for_oid(NameOID.COMMON_NAME))
    addresses = (str(address) for address in alternatives.get_values_for_type(x509.IPAddress))
    return (*alternatives.get_values_for_type(x509.DNSName), *addresses)


def _day(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d")
