"""How does a request become a queued job? The same way for a program's JSON and for a person's form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from appliance import ulid
from appliance.config import Config
from appliance.errors import BadSource
from appliance.intake import git_url
from appliance.shapes import SubmitGit
from appliance.store import Job, NewJob
from appliance.webui import bodies, identity, samples
from appliance.webui.job_images import JobImages
from appliance.webui.store_threads import StoreThreads
from appliance.webui.uploads import Form, Inbox
from appliance.webui.web import Refusal, Request

#: More than a day and a half of full-length jobs; whoever floods the queue fills neither disk nor lists without end.
MAX_WAITING: Final = 1000
_MAX_NAME_CHARACTERS: Final = 80
_AGAIN: Final = "Again: "
_MAX_BOARD_NAME_CHARACTERS: Final = 40


@dataclass(frozen=True)
class Counter:
    """Where submissions are taken in. `now_s` is the wall clock."""

    config: Config
    store: StoreThreads
    inbox: Inbox
    images: JobImages
    now_s: Callable[[], float]

    def take(self, request: Request) -> Job:
        """Queue what a request brings; durable when this returns. Raises Refusal, BadSource."""
        self._check_length()
        if request.headers.get("Content-Type", "").lower().startswith("multipart/form-data"):
            return self._take_form(request)
        try:
            wish = msgspec.json.decode(bodies.read(request), type=SubmitGit)
        except msgspec.DecodeError as error:
            example = '{"git_url": "https://example.org/you/pendulum.git", "ref": "main", "name": "swing-up"}'
            raise Refusal(400, "bad_json", f"{error}. Send JSON like {example}.") from error
        return self._queue_git(request, wish)

    def again(self, request: Request, job: Job, archive: bytes) -> Job:
        """Queue a job's program once more: the same commit, or for an archive its source, packed. Raises Refusal."""
        self._check_length()
        name = job.name if job.name.startswith(_AGAIN) else f"{_AGAIN}{job.name or job.id}"
        now_s = self.now_s()
        job_id = ulid.new(now_s)
        if job.source_kind == "git":
            new = NewJob("git", job.source, "", ref=job.commit_id or job.ref, name=name, image=job.image)
            return self._add(request, new, now_s, job_id)
        self.inbox.keep(job_id, archive)
        return self._queue_archive(request, Form({"name": name, "image": job.image}, job.source), now_s, job_id)

    def _check_length(self) -> None:
        if self.store.read(lambda store: len(store.queue())) >= MAX_WAITING:
            raise Refusal(503, "queue_full", f"{MAX_WAITING} jobs wait already. Submit yours when some have run.")

    def _take_form(self, request: Request) -> Job:
        now_s = self.now_s()
        job_id = ulid.new(now_s)
        form = self.inbox.receive(request, job_id)
        if not form.archive_name:
            return self._queue_form(request, form, now_s, job_id)
        return self._queue_archive(request, form, now_s, job_id)

    def _queue_archive(self, request: Request, form: Form, now_s: float, job_id: str) -> Job:
        """Queue what lies in the inbox under the job's id; or take it away."""
        try:
            new = NewJob(
                "archive",
                form.archive_name,
                "",
                name=form.fields.get("name", ""),
                image=form.fields.get("image", ""),
                preflight=bool(form.fields.get("preflight", "")),
                board_name=form.fields.get("board_name", ""),
            )
            return self._add(request, new, now_s, job_id)
        except BaseException:
            self.inbox.discard(job_id)
            raise

    def _queue_form(self, request: Request, form: Form, now_s: float, job_id: str) -> Job:
        if wanted := form.fields.get(samples.FIELD, ""):
            sample = samples.find(wanted)
            self.inbox.keep(job_id, samples.packed(sample.name))
            fields = {"name": f"{samples.JOB_NAME}{sample.title}"} | {
                key: text for key, text in form.fields.items() if text
            }
            return self._queue_archive(request, Form(fields, f"{sample.name}.tar.gz"), now_s, job_id)
        if not form.fields.get("git_url", "").strip():
            raise BadSource(
                "Nothing was submitted. Give the URL of a git repository, or an archive or folder that isn't empty."
            )
        fields = {key: form.fields.get(key, "") for key in ("git_url", "ref", "name", "image", "board_name")}
        return self._queue_git(request, SubmitGit(**fields, preflight=bool(form.fields.get("preflight", ""))))

    def _queue_git(self, request: Request, wish: SubmitGit) -> Job:
        url = git_url.parse(wish.git_url.strip(), self.config.fetch.allow_http).text
        ref = git_url.check_ref(wish.ref.strip())
        new = NewJob("git", url, "", ref=ref, name=wish.name, image=wish.image, preflight=wish.preflight,
                     board_name=wish.board_name)  # fmt: skip
        now_s = self.now_s()
        return self._add(request, new, now_s, ulid.new(now_s))

    def _add(self, request: Request, new: NewJob, now_s: float, job_id: str) -> Job:
        complete = NewJob(
            new.source_kind,
            new.source,
            identity.submitter(request),
            ref=new.ref,
            name=_plain(new.name),
            image=self.images.chosen(new.image),
            preflight=new.preflight or self.config.job.preflight,
            board_name=board_name(new.board_name),
        )
        return self.store.write(lambda store: store.add(complete, now_s, job_id))


def board_name(name: str) -> str:
    """A name for the leaderboard as it may stand there."""
    return _plain(name)[:_MAX_BOARD_NAME_CHARACTERS].strip()


def _plain(name: str) -> str:
    """A name as one printable line."""
    return " ".join("".join(c if c.isprintable() else " " for c in name).split())[:_MAX_NAME_CHARACTERS]
