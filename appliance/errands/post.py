"""How is one webhook sent? The task inside a confined child, which reaches one server and reads a stranger's answer.

TLS and HTTP end here, so whatever comes back meets a process without rights. No redirect is followed.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from typing import Any, Final

from appliance.intake import confined
from appliance.intake.tree import plain

_TIMEOUT_S: Final = 10.0
_READ_BYTES: Final = 400
#: A destination that the way out reads and ignores: there is only one.
_CONNECT: Final = b"\5\1\0\1" + bytes(6)


def post(order: confined.Order, teller: confined.Teller) -> dict[str, Any]:
    """Send `body` with `headers`: status and the beginning of the answer, or why there was none."""
    teller.stage("post")
    try:
        with _connected(order) as channel:
            connection = http.client.HTTPConnection(order["host"], order["port"], timeout=_TIMEOUT_S)
            connection.sock = channel
            connection.request("POST", order["path"], order["body"].encode(), order["headers"])
            answer = connection.getresponse()
            return {
                "status": answer.status,
                "said": plain(answer.read(_READ_BYTES).decode(errors="replace"), _READ_BYTES),
            }
    except ssl.SSLError as error:
        return {"failed": f"its https certificate or encryption isn't valid ({error.reason or error})"}
    except TimeoutError:
        return {"failed": f"it did not answer within {_TIMEOUT_S:g} s"}
    except (OSError, http.client.HTTPException) as error:
        return {"failed": f"the connection failed ({type(error).__name__})"}


def _connected(order: confined.Order) -> socket.socket:
    channel = socket.create_connection(("127.0.0.1", order["proxy"]), timeout=_TIMEOUT_S)
    channel.sendall(b"\5\1\0")
    _exactly(channel, 2)
    channel.sendall(_CONNECT)
    if _exactly(channel, 10)[1]:
        raise ConnectionRefusedError
    if order["scheme"] == "http":
        return channel
    context = ssl.create_default_context(cafile=order["prefix"] + "/ca.pem")
    return context.wrap_socket(channel, server_hostname=order["host"])


def _exactly(channel: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = channel.recv(count - len(data))
        if not more:
            raise ConnectionResetError
        data += more
    return data


if __name__ == "__main__":
    confined.serve(post)
