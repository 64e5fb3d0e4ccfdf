"""How does a webhook get out? One delivery after the other, each by a confined child that reaches one checked address."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Final

import msgspec

from appliance.config import Config
from appliance.errands import hooks
from appliance.errands.hooks import Delivery, Hook, HookBook
from appliance.errors import BadSource, NotFound, RaasError
from appliance.intake import fetch, isolation
from appliance.intake.tree import plain
from appliance.shapes import EndedJob, HookBody
from appliance.store import Job, Store

_SECONDS: Final = 20.0
_MOST_BYTES: Final = 512 << 10

_log = logging.getLogger("runner")


@dataclass(frozen=True)
class Postman:
    """Delivers from one book. cancelled: whether everything ends."""

    config: Config
    store: Store
    book: HookBook
    cancelled: Callable[[], bool]

    def turn(self) -> bool:
        """Try what is due, one delivery; whether there was one."""
        delivery = self.book.due(time.time())
        if delivery is None:
            return False
        try:
            hook = self.book.get(delivery.hook_id)
        except NotFound:  # removed meanwhile, and the delivery with it
            return True
        status, said = self._try(delivery, hook)
        self.book.record(delivery, status, said, time.time())
        return True

    def _try(self, delivery: Delivery, hook: Hook) -> tuple[int | None, str]:
        """The answer's status, None without one, and what came of it as a sentence."""
        try:
            body = msgspec.json.encode(self._body(delivery))
        except NotFound as error:
            return None, str(error)
        timestamp = str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"raas/{version('raas-appliance')}",
            "X-Raas-Event": delivery.event,
            "X-Raas-Delivery": delivery.id,
            "X-Raas-Timestamp": timestamp,
            "X-Raas-Signature": hooks.signature(hook.secret, timestamp, body),
            "Connection": "close",
        }
        try:
            return self._sent(hooks.target(hook.url, self.config.hooks), body.decode(), headers)
        except BadSource as refusal:
            return None, str(refusal)
        except RaasError as error:
            _log.warning("a webhook could not be sent: %s", error)
            return None, "The appliance could not send it; its log says more."

    def _sent(self, target: hooks.Target, body: str, headers: dict[str, str]) -> tuple[int | None, str]:
        order: dict[str, Any] = {"scheme": target.scheme, "host": target.host, "port": target.port, "path": target.path}
        room = isolation.Room(
            uid=self.config.fetch.uid,
            limits=isolation.Limits(seconds=_SECONDS, scratch_bytes=1 << 20, scratch_files=64),
            files={"/ca.pem": fetch.certificates(self.config.fetch)},
            egress=fetch.way_out(target.host, target.port, _MOST_BYTES, self.config, self.config.hooks.allow_private),
        )
        with isolation.run(
            "appliance.errands.post", order | {"body": body, "headers": headers}, room, self.cancelled
        ) as found:
            answer = found.answer or {}
        status = answer.get("status")
        if isinstance(status, int):
            return status, _explained(status, plain(str(answer.get("said", "")), 160))
        if found.network:
            return None, f"Nothing answers at {target.host}, port {target.port} ({found.network})."
        why = plain(str(answer.get("failed", "")), 160) or "it took too long"
        return None, f"{target.host}: {why}."

    def _body(self, delivery: Delivery) -> HookBody:
        job = None
        if delivery.job_id:
            job = _ended(self.store.get(delivery.job_id))
        return HookBody(event=delivery.event, delivery=delivery.id, robot=self.config.name, job=job)


def _explained(status: int, said: str) -> str:
    if 200 <= status < 300:
        return f"Taken ({status})."
    if 300 <= status < 400:
        return f"It redirects ({status}), which is not followed. Give the address that it leads to."
    return f"It answered {status}." + (f" “{said}”" if said else "")


def _ended(job: Job) -> EndedJob:
    return EndedJob(**{name: getattr(job, name) for name in EndedJob.__struct_fields__})
