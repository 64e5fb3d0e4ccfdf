"""What stands at a git address? The task inside the confined child; see `look` for the other side.

One commit and the list of what is at its top are asked for, no files. A server that can't leave files out sends them
all; the room's limits hold for that, too.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from appliance.intake import confined, program
from appliance.intake.clone import Git, GitFailed
from appliance.intake.tree import plain

_WORDS: Final = 4000
_SHOWN: Final = 60
_LIST_BYTES: Final = 1 << 20
_LINK: Final = "120000"


def glance(order: confined.Order, teller: confined.Teller) -> dict[str, Any]:
    """Commit, what git calls the ref, and whether run.py is there (else `lacks`, a sentence), or git's words as `failed`."""
    git = Git(order)
    Path("tree").mkdir()
    try:
        teller.stage("fetch")
        git.run("init", "-q", "--template=")
        ref = order["ref"] or _usual(git, order["url"])
        git.run(
            "fetch", "-q", "--depth=1", "--filter=tree:1", "--no-tags", "--no-recurse-submodules", "--no-write-commit-graph",
            "--", order["url"], ref or "HEAD",
        )  # fmt: skip
        commit = git.run("rev-parse", "--verify", "-q", "--end-of-options", "FETCH_HEAD^{commit}")
        if not re.fullmatch(r"[0-9a-f]{40,64}", commit):
            raise GitFailed("not a commit")
        with git.start("ls-tree", "-z", "--full-tree", "FETCH_HEAD") as process:
            said = process.stdout.read(_LIST_BYTES) if process.stdout else b""
        if len(said) < _LIST_BYTES:
            git.check(process)
    except GitFailed as error:
        return {"failed": plain(str(error), 2 * _WORDS, lines=True)}
    kind = re.match(r"[0-9a-f]+\t[^\t]*\t(branch|tag) '", Path("git/FETCH_HEAD").read_text(errors="replace"))
    return {
        "commit": commit,
        "ref": ref,
        "kind": kind[1] if kind else "commit",
        "lacks": _lack(said.decode(errors="replace")),
    }


def _usual(git: Git, url: str) -> str:
    """The branch that a repository's HEAD is; '' where the server doesn't say."""
    found = re.match(r"ref: refs/heads/(\S+)\tHEAD", git.run("ls-remote", "--symref", "--", url, "HEAD"))
    return found[1] if found else ""


def _lack(listed: str) -> str:
    """Why these entries hold no program; '' if they do."""
    top: dict[str, bool] = {}
    for line in listed.split("\0"):
        facts, _, name = line.partition("\t")
        if name == program.NAME and facts.startswith(_LINK):
            return f"{program.NAME} is a symbolic link in the repository. Commit the file itself."
        if name:
            top[plain(name, _SHOWN)] = not facts.startswith("100")
    return "" if top.get(program.NAME) is False else program.missing(top, "repository", in_top_folder=False)


if __name__ == "__main__":
    confined.serve(glance)
