"""Does this machine's own page answer? Asked over HTTP as a browser would, by whoever starts it or watches over it."""

from __future__ import annotations

import http.client
import ipaddress
import ssl

from appliance.config import WebSection


def status(web: WebSection, port: int, path: str, timeout_s: float) -> int | None:
    """The HTTP status, None where nothing answers in time. Asked on loopback where the page is on all addresses."""
    connection = _connection(web, port, timeout_s)
    try:
        connection.request("GET", path, headers={"Host": "localhost"})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _connection(web: WebSection, port: int, timeout_s: float) -> http.client.HTTPConnection:
    address = _reachable(web.address)
    if web.scheme == "http":
        return http.client.HTTPConnection(address, port, timeout=timeout_s)
    # To ourselves: the certificate is for the names that others use, and nobody is between.
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return http.client.HTTPSConnection(address, port, timeout=timeout_s, context=context)


def _reachable(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if not parsed.is_unspecified:
        return address
    return "127.0.0.1" if parsed.version == 4 else "::1"
