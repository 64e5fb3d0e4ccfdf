"""How is git run on a stranger's repository? The task inside the confined child; see `fetch` for the other side.

The depth is one commit. Nothing of the machine's or the user's git configuration counts; protocols, redirects, hooks,
templates, submodules, LFS, credential prompts, alternates and bundle URIs are off. What the commit holds is listed and
counted before a single file is written.
"""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from appliance.errors import BadSource
from appliance.intake import confined, program
from appliance.intake.tree import MAX_DEPTH, Budget, objection, plain

_WORDS_BYTES: Final = 4096
_NOTED: Final = 5
_LINK, _SUBMODULE, _FOLDER = "120000", "160000", "040000"

_SETTINGS: Final = (
    "protocol.allow=never",
    "protocol.https.allow=always",
    "http.followRedirects=false",
    "http.sslVerify=true",
    "http.saveCookies=false",
    "http.maxRequests=1",
    "http.emptyAuth=false",
    "credential.helper=",
    "core.askPass=",
    "core.symlinks=false",
    "core.hooksPath=/dev/null",
    "core.attributesFile=/dev/null",
    "core.excludesFile=/dev/null",
    "core.fsmonitor=false",
    "core.protectHFS=true",
    "core.protectNTFS=true",
    "core.logAllRefUpdates=false",
    "core.deltaBaseCacheLimit=16m",
    "core.packedGitWindowSize=16m",
    "core.packedGitLimit=128m",
    "core.bigFileThreshold=16m",
    "core.autocrlf=false",
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    "fetch.unpackLimit=1",  # keep the pack: loose objects would eat the inodes
    "fetch.writeCommitGraph=false",
    "transfer.fsckObjects=true",
    # Harmless habits of old tools; projects that everyone uses have such commits.
    "fetch.fsck.zeroPaddedFilemode=ignore",
    "fetch.fsck.badTimezone=ignore",
    "fetch.fsck.missingSpaceBeforeDate=ignore",
    "fetch.fsck.missingNameBeforeEmail=ignore",
    "fetch.fsck.missingSpaceBeforeEmail=ignore",
    "transfer.bundleURI=false",
    "filter.lfs.smudge=",
    "filter.lfs.process=",
    "filter.lfs.required=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "pack.threads=1",
    "index.threads=1",
    "checkout.workers=1",
    "advice.detachedHead=false",
    "init.defaultBranch=none",
    "protocol.version=2",
)


class Git:
    """git with everything off that isn't needed, in the scratch folder."""

    def __init__(self, order: confined.Order) -> None:
        home = Path.cwd()
        settings = [*_SETTINGS, f"http.proxy=socks5h://127.0.0.1:{order['proxy']}"]
        if order["allow_http"]:
            settings.append("protocol.http.allow=always")
        self._command = ["git", *(word for setting in settings for word in ("-c", setting))]
        self._errors = home / "stderr"
        self._environment = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": "/nonexistent",
            "LC_ALL": "C",
            "GIT_DIR": str(home / "git"),
            "GIT_WORK_TREE": str(home / "tree"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_ALLOW_PROTOCOL": "https:http" if order["allow_http"] else "https",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_LFS_SKIP_SMUDGE": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_SSL_CAINFO": order["prefix"] + "/ca.pem",
        }

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start one git command; its complaints go to a file in the scratch folder, which is capped."""
        with self._errors.open("wb") as errors:
            return subprocess.Popen(
                [*self._command, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=self._environment,
            )

    def run(self, *arguments: str) -> str:
        """Run one git command to its end and return its output. Raises GitFailed."""
        with self.start(*arguments) as process:
            output = process.stdout.read(_WORDS_BYTES) if process.stdout else b""
        self.check(process)
        return output.decode().strip()

    def check(self, process: subprocess.Popen[bytes]) -> None:
        """Raise GitFailed if a command didn't succeed."""
        if process.returncode:
            words = self._errors.read_bytes()[-_WORDS_BYTES:].decode(errors="replace")
            if process.returncode == -signal.SIGXFSZ:
                words += "\nNo space left on device"
            raise GitFailed(f"{words}\n(exit {process.returncode})")


class GitFailed(Exception):
    """git ended with an error; its words are for `fetch.translate`."""


def clone(order: confined.Order, teller: confined.Teller) -> dict[str, Any]:
    """Fetch one commit of `order['url']` at `order['ref']` into tree/ and check it. Returns commit and notes."""
    git = Git(order)
    Path("tree").mkdir()
    try:
        teller.stage("fetch")
        git.run("init", "-q", "--template=")
        git.run(
            "fetch", "-q", "--depth=1", "--no-tags", "--no-recurse-submodules", "--no-write-commit-graph",
            "--", order["url"], order["ref"] or "HEAD",
        )  # fmt: skip
        commit = git.run("rev-parse", "--verify", "-q", "--end-of-options", "FETCH_HEAD^{commit}")
        if not re.fullmatch(r"[0-9a-f]{40,64}", commit):
            raise GitFailed("not a commit")
        teller.stage("list")
        notes = _look_over(git, order)
        teller.stage("checkout")
        git.run("checkout", "-q", "-f", "--detach", commit)
    except GitFailed as error:
        return {"failed": plain(str(error), 2 * _WORDS_BYTES, lines=True)}
    teller.stage("program")
    program.check(Path("tree"))
    return {"commit": commit, "notes": notes + _note_on_lfs(Path("tree"))}


def _look_over(git: Git, order: confined.Order) -> list[str]:
    """List the commit's tree, count it against the budget, refuse odd names and a missing run.py; note what is odd."""
    budget = Budget(order["max_bytes"], order["max_files"])
    at_top: dict[str, bool] = {}
    odd: dict[str, list[str]] = {_LINK: [], _SUBMODULE: []}
    with git.start("ls-tree", "-r", "-t", "-l", "-z", "--full-tree", "FETCH_HEAD") as process:
        assert process.stdout is not None
        try:
            for line in _records(process.stdout.fileno()):
                mode, path = _count(line, budget)
                if "/" not in path:
                    at_top[path] = mode in {_FOLDER, _SUBMODULE}
                if mode in odd:
                    odd[mode].append(path)
        except BadSource:
            process.kill()
            raise
    git.check(process)
    program.top(at_top, "repository", in_top_folder=False)
    if program.NAME in odd[_LINK]:
        raise BadSource(f"{program.NAME} is a symbolic link in the repository. Commit the file itself.")
    return [
        *_note(odd[_LINK], "Symbolic links come as small text files that hold the link's target"),
        *_note(odd[_SUBMODULE], "Submodules are not fetched"),
    ]


def _records(descriptor: int) -> Iterator[str]:
    rest = b""
    with open(descriptor, "rb", closefd=False) as stream:
        while chunk := stream.read1(65536):
            *lines, rest = (rest + chunk).split(b"\0")
            for line in lines:
                yield line.decode(errors="surrogateescape")
            if len(rest) > 65536:
                raise BadSource("A path in the repository is far too long. Shorten it.")


def _count(line: str, budget: Budget) -> tuple[str, str]:
    """Count one entry, `mode kind object size TAB path`; its mode and path."""
    facts, _, path = line.partition("\t")
    mode, _, _, size = facts.split()
    parts = path.split("/")
    wrong = objection(parts[-1]) or (f"is nested deeper than {MAX_DEPTH} folders" if len(parts) > MAX_DEPTH else "")
    if wrong:
        raise BadSource(f"The name “{plain(path)}” in the repository {wrong}. Rename it.")
    budget.spend(size_bytes=int(size) if size.isdigit() else 0, files=1)
    return mode, path


def _note(paths: list[str], what: str) -> list[str]:
    shown = ", ".join(plain(path, 80) for path in paths[:_NOTED]) + (", …" if len(paths) > _NOTED else "")
    return [f"{what}: {shown}."] if paths else []


def _note_on_lfs(tree: Path) -> list[str]:
    attributes = tree / ".gitattributes"
    if attributes.is_file() and "filter=lfs" in attributes.read_text(errors="replace"):
        return ["Files in Git LFS are not fetched: only their pointers are there."]
    return []


if __name__ == "__main__":
    confined.serve(clone)
