"""Who waits for the disk? Threads do, so that the server's greenlets needn't."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from gevent.threadpool import ThreadPool

Answer = TypeVar("Answer")


class Threads:
    """A few threads that run what would otherwise hold up everybody; only the caller waits."""

    def __init__(self, count: int) -> None:
        self._pool = ThreadPool(count)

    def call(self, function: Callable[..., Answer], *arguments: object) -> Answer:
        """The function's answer, or its exception, raised here."""
        answer, error = self._pool.apply(_caught, (function, arguments))
        if error is not None:
            raise error
        return cast(Answer, answer)


def _caught(function: Callable[..., object], arguments: tuple[object, ...]) -> tuple[object, Exception | None]:
    """Carry an exception over by hand: the pool would print it as well, and a refusal is nothing to print."""
    try:
        return function(*arguments), None
    except Exception as error:  # noqa: BLE001 - raised again in the caller
        return None, error
