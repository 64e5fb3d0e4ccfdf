"""Which one server may a confined git reach? The only door out of its empty network: a small SOCKS5 relay.

The name is resolved once, here. If any of its addresses is forbidden the whole name is refused, and the relay then
connects to those addresses only, whatever git asks for: neither a second DNS answer nor a redirect, an alternate or a
bundle URI leads anywhere else. Bytes are counted; TLS passes through untouched.
"""

from __future__ import annotations

import codecs
import contextlib
import ipaddress
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_CONNECT_TIMEOUT_S: Final = 10.0
_MAX_CONNECTIONS: Final = 16
_CHUNK_BYTES: Final = 65536
codecs.lookup("idna")  # every connect needs it, and this process may lose sight of where modules are
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")


@dataclass(frozen=True)
class Wanted:
    """Where a task wants to go. `own_ports`: ports of the appliance itself, closed on every local address."""

    host: str
    port: int
    max_bytes: int
    allow_private: bool = False
    own_ports: list[int] = field(default_factory=list)


def _embedded(address: Address) -> Address | None:
    """The IPv4 address that an IPv6 address stands for, if any."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)


def is_public(address: Address, neighbours: Iterable[Network] = ()) -> bool:
    """Whether `address` lies on the open Internet, outside this machine and the networks it is attached to.

    >>> [is_public(ipaddress.ip_address(a)) for a in ("1.1.1.1", "10.0.0.1", "::ffff:127.0.0.1", "169.254.169.254")]
    [True, False, False, False]
    """
    inner = _embedded(address)
    if inner is not None:
        return is_public(inner, neighbours)
    odd = address.is_multicast or address.is_reserved or address.is_unspecified or address.is_loopback
    return address.is_global and not odd and not any(address in network for network in neighbours)


def neighbours(ipv4_routes: str, ipv6_routes: str) -> Iterator[Network]:
    """The networks reached without a gateway, from the texts of /proc/net/route and /proc/net/ipv6_route."""
    for line in ipv4_routes.splitlines()[1:]:
        _, destination, gateway, _, _, _, _, mask, *_ = line.split()
        if int(gateway, 16) == 0 and int(mask, 16) != 0:
            base, bits = (socket.inet_ntoa(struct.pack("=I", int(word, 16))) for word in (destination, mask))
            yield ipaddress.ip_network(f"{base}/{bits}")
    for line in ipv6_routes.splitlines():
        base, length, _, _, gateway, *_ = line.split()
        if int(gateway, 16) == 0 and int(length, 16) != 0:
            yield ipaddress.ip_network((int(base, 16), int(length, 16)))


def near() -> list[Network]:
    """The networks that this machine is attached to now."""
    return list(neighbours(_read("/proc/net/route"), _read("/proc/net/ipv6_route")))


def _read(path: str) -> str:
    return Path(path).read_text() if os.path.exists(path) else ""


def _is_local(address: Address) -> bool:
    """Whether this machine itself has `address`: only then can a socket be bound to it."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(address), 0))
        except OSError:
            return False
    return True


def resolve(wanted: Wanted) -> list[Address]:
    """All addresses of the host, each of them allowed. Raises PermissionError with a sentence, or socket.gaierror."""
    found = socket.getaddrinfo(wanted.host, wanted.port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found))
    attached = near()
    for address in addresses:
        inner = _embedded(address) or address
        if wanted.port in wanted.own_ports and (inner.is_loopback or inner.is_unspecified or _is_local(inner)):
            raise PermissionError(
                f"{wanted.host}:{wanted.port} is this appliance itself. Give the URL of a git server."
            )
        if not wanted.allow_private and not is_public(address, attached):
            raise PermissionError(
                f"{wanted.host} has the address {address}, which is private or belongs to this network. Use a public git "
                "server, upload an archive, or ask the owner to set fetch.allow_private."
            )
    return addresses


def serve(wanted: Wanted, handover: socket.socket, say: Callable[..., None]) -> None:
    """Resolve, say yes on `handover`, receive the listening socket there, relay until killed."""
    try:
        addresses = resolve(wanted)
    except PermissionError as refusal:
        say(refused=str(refusal))
        return
    except (socket.gaierror, UnicodeError) as error:
        say(
            refused=f"The name {wanted.host} can't be resolved ({error}). Check its spelling and the appliance's network."
        )
        return
    handover.send(b"ok")
    _, descriptors, _, _ = socket.recv_fds(handover, 16, 1)
    if not descriptors:
        return
    handover.close()
    relay = _Relay(addresses, wanted.port, wanted.max_bytes, say)
    with socket.socket(fileno=descriptors[0]) as listener:
        while True:
            client, _ = listener.accept()
            relay.admit(client)


class _Relay:
    """Carries bytes between git's connections and the one server."""

    def __init__(self, addresses: list[Address], port: int, max_bytes: int, say: Callable[..., None]) -> None:
        self._addresses, self._port, self._left, self._say = addresses, port, max_bytes, say
        self._places = threading.BoundedSemaphore(_MAX_CONNECTIONS)
        self._lock = threading.Lock()

    def admit(self, client: socket.socket) -> None:
        """Serve one connection in threads of its own."""
        self._places.acquire()
        threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        try:
            with client, contextlib.suppress(OSError):
                _shake_hands(client)
                server = self._connect()
                client.sendall(b"\5" + (b"\4" if server is None else b"\0") + b"\0\1" + bytes(6))
                if server is not None:
                    with server:
                        back = threading.Thread(target=self._pump, args=(server, client), daemon=True)
                        back.start()
                        self._pump(client, server)
                        back.join()
        finally:
            self._places.release()

    def _connect(self) -> socket.socket | None:
        why = "no address"
        for address in self._addresses:
            try:
                server = socket.create_connection((str(address), self._port), timeout=_CONNECT_TIMEOUT_S)
            except OSError as error:
                why = error.strerror or str(error)
            else:
                server.settimeout(None)
                return server
        self._say(network=why)
        return None

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(_CHUNK_BYTES):
                with self._lock:
                    self._left -= len(chunk)
                if self._left < 0:
                    self._say(out_of="bytes")
                    os._exit(0)
                sink.sendall(chunk)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


def _shake_hands(client: socket.socket) -> None:
    """SOCKS5 (RFC 1928) without a password. The wanted destination is read and ignored: there is only one."""
    reader = client.makefile("rb", buffering=0)
    _, count = _exactly(reader.read, 2)
    _exactly(reader.read, count)
    client.sendall(b"\5\0")
    _, _, _, kind = _exactly(reader.read, 4)
    lengths = {1: 4, 4: 16}
    _exactly(reader.read, (lengths[kind] if kind in lengths else _exactly(reader.read, 1)[0]) + 2)


def _exactly(read: Callable[[int], bytes], count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = read(count - len(data))
        if not more:
            raise ConnectionError("closed during the handshake")
        data += more
    return data
