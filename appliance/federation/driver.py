"""How does an agent meet the world? Its requests are performed one after the other, its waits are slept."""

from __future__ import annotations

from collections.abc import Callable

from appliance.federation.requests import Reply, Request, Status, Talk, Wait


def drive(
    talk: Talk[None],
    perform: Callable[[Request], Reply],
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    is_over: Callable[[], bool],
) -> None:
    """Until `is_over`. `clock` is monotonic and goes on during suspend; `sleep` may end early when something happens here."""
    request = next(talk)
    while not is_over():
        if isinstance(request, Wait):
            sleep(max(0.0, request.until_s - clock()))
            reply = Reply(Status.OK, clock())
        else:
            reply = perform(request)
            reply.now_s = clock()
        request = talk.send(reply)
    talk.close()
