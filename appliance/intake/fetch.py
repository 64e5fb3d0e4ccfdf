"""How does a git URL become a folder? The appliance's side: the room that git gets, and its failures in people's words."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from appliance.config import Config, FetchSection
from appliance.errors import BadSource, IsolationError
from appliance.intake import git_url, isolation
from appliance.intake.tree import plain

_SHOWN: Final = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/dev/null", "/dev/zero", "/dev/urandom")
_SYSTEM_CERTIFICATES: Final = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")
_PACK_SHARE: Final = 2  # the scratch folder holds the pack and the files, so twice the limit of the files
_EXTRA_INODES: Final = 256
_PIGPIOD_PORT: Final = 8888  # what a port of 0 stands for with real hardware
_NOISE: Final = re.compile(r"^(fatal|error|warning|remote): |^\(exit -?\d+\)$", re.MULTILINE)
_PARTIAL_COMMIT: Final = re.compile(r"[0-9a-f]{4,39}")

# What git says (LC_ALL=C), and what it means for the person who submitted; the first match counts.
_MEANINGS: Final = {
    r"No space left on device|File too large|[Oo]ut of memory|malloc failed|mmap failed|unable to allocate": (
        "The repository is larger than {limit}, which is the limit here. Take data and build results out of it, or "
        "upload an archive."
    ),
    r"could not read Username|could not read Password|Authentication failed|prompts disabled|error: 40[13]": (
        "The repository needs a password, or doesn't exist (many servers don't say which). Check the URL; make the "
        "repository public or upload an archive."
    ),
    r"couldn't find remote ref HEAD|no matching remote head|not a commit": (
        "There is nothing to fetch at {url}: the repository is empty, or this is a page and no address for cloning. "
        "Push a commit with a run.py, or take the address that “Clone” shows."
    ),
    r"couldn't find remote ref|not our ref|unadvertised object|no such remote ref|bad object|invalid refspec": (
        "The repository has no branch, tag or commit “{ref}”. {hint}"
    ),
    r"error: 30[12378]|redirect": (
        "The server redirects to another address, which is not followed here. Give the address that your browser ends "
        "at, usually with .git at its end."
    ),
    r"repository '.*' not found|error: 404|error: 410": (
        "There is no repository at {url}. Check its spelling; a private one looks the same from here."
    ),
    r"certificate|handshake|SSL routines|SSL connect": (
        "The server's https certificate or encryption isn't valid. Check the URL; for a CA of your own the owner sets "
        "fetch.ca_file."
    ),
    r"error: 5\d\d": "The server at {host} has a fault of its own. Try again later.",
    r"fsck|object.*(corrupt|malformed)|invalid path|unsafe|index-pack": (
        "The repository holds damaged or unsafe objects (odd names or entries), so it is not used. Check it with git fsck."
    ),
    r"is this a git repository|invalid server response|protocol error|bad line length|unexpected disconnect|hung up"
    r"|RPC failed|early EOF|dumb http|not valid:|Empty reply|expected '|recv error|Could not read from remote": (
        "The server at {url} doesn't speak git there, or broke off. Check that it is the address for cloning."
    ),
}


@dataclass(frozen=True)
class Fetched:
    """A fetched repository: `tree` is a descriptor of its folder, valid within the context."""

    tree: int
    commit: str
    notes: tuple[str, ...]


@contextlib.contextmanager
def fetch(url: str, ref: str, config: Config, cancelled: Callable[[], bool]) -> Iterator[Fetched]:
    """Fetch one commit in a confined child. Raises BadSource with a message for the submitter, Cancelled."""
    place = git_url.parse(url, config.fetch.allow_http)
    git_url.check_ref(ref)
    order = {
        "url": place.text,
        "ref": ref,
        "allow_http": config.fetch.allow_http,
        "max_bytes": config.fetch.max_mb << 20,
        "max_files": config.fetch.max_files,
    }
    with isolation.run("appliance.intake.clone", order, room(place, config), cancelled) as outcome:
        answer = outcome.answer or {}
        commit = str(answer.get("commit", ""))
        if outcome.out_of or not re.fullmatch(r"[0-9a-f]{40,64}", commit):
            raise BadSource(failure(outcome, str(answer.get("failed", "")), place, ref, config.fetch))
        notes = answer.get("notes")
        tree = isolation.inside(outcome.scratch, "tree")
        try:
            yield Fetched(tree, commit, tuple(plain(str(note)) for note in notes) if isinstance(notes, list) else ())
        finally:
            os.close(tree)


def room(place: git_url.GitUrl, config: Config) -> isolation.Room:
    """Where git works on a repository, and the one server that it reaches from there. Raises IsolationError."""
    settings = config.fetch
    if shutil.which("git") is None:
        raise IsolationError("git is not installed on the appliance. Install it: apt-get install git.")
    return isolation.Room(
        uid=settings.uid,
        limits=isolation.Limits(
            seconds=settings.timeout_s,
            scratch_bytes=_PACK_SHARE * settings.max_mb << 20,
            scratch_files=settings.max_files + _EXTRA_INODES,
        ),
        show=_SHOWN,
        files={"/ca.pem": certificates(settings)},
        egress=way_out(place.host, place.port, settings.max_mb << 20, config, settings.allow_private),
    )


def certificates(settings: FetchSection) -> str:
    """The file with the certificates that are trusted. Raises IsolationError."""
    found = settings.ca_file or next((path for path in _SYSTEM_CERTIFICATES if os.path.exists(path)), "")
    if not os.path.exists(found):
        raise IsolationError(f"No CA certificates at {found!r}. Install ca-certificates or set fetch.ca_file.")
    return found


def way_out(host: str, port: int, max_bytes: int, config: Config, allow_private: bool) -> dict[str, Any]:
    """The one server that a confined child reaches (`egress.Wanted`); never a port of this appliance's own."""
    own_ports = [own for own in (config.web.port, config.robot.port or _PIGPIOD_PORT) if own]
    return {
        "host": host, "port": port, "max_bytes": max_bytes, "allow_private": allow_private, "own_ports": own_ports,
    }  # fmt: skip


def failure(outcome: isolation.Outcome, words: str, place: git_url.GitUrl, ref: str, settings: FetchSection) -> str:
    """The sentence for a fetch that gave no commit."""
    limit = f"{settings.max_mb} MiB"
    if outcome.out_of == "time":
        what = (
            "The repository could not be fetched"
            if outcome.stage in {"", "fetch"}
            else "The repository's files took too long"
        )
        return f"{what} within {settings.timeout_s:g} s. Try again, make it smaller, or upload an archive."
    if outcome.out_of:
        return f"The repository is larger than {limit}, which is the limit here. Take data out of it, or upload an archive."
    if outcome.network:
        return f"Nothing answers at {place.host}, port {place.port} ({outcome.network}). Check the URL, or try again later."
    if outcome.died and outcome.stage == "program":
        return "Python's compiler breaks on run.py (it is nested too deeply, or far too complicated). Make it simpler."
    if outcome.died:
        return f"git was stopped by a limit ({outcome.died}) while it read the repository. Make it smaller, or upload an archive."
    return translate(words, place, ref, limit)


def translate(words: str, place: git_url.GitUrl, ref: str, limit: str) -> str:
    """What git complains of, in people's words, with git's own behind it."""
    hint = "Check its spelling."
    if _PARTIAL_COMMIT.fullmatch(ref):
        hint = "If it is a commit, give all of its 40 digits."
    own = plain(" ".join(_NOISE.sub("", words).split()))
    for pattern, meaning in _MEANINGS.items():
        if re.search(pattern, words):
            said = meaning.format(limit=limit, ref=plain(ref, 60), url=place.text, host=place.host, hint=hint)
            return f"{said} (git: {own})" if own else said
    return f"The repository could not be fetched. Check the URL. (git: {own})"
