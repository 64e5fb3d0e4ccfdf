"""A real git server on loopback (git's own http-backend), and next to it the ways in which one can be bad.

/git/NAME        the repositories in its folder, by smart HTTP
/private/NAME    asks for a password
/moved/NAME      redirects to /git/NAME
/elsewhere/NAME  redirects to `redirect_to`
/slow/NAME       begins an answer and never ends it
/endless/NAME    speaks git until the pack, whose one file then has no end
/rude/NAME       answers with an error message full of escapes and markup
/dumb/NAME       the old protocol without a program, whose alternates point to `redirect_to`
/page/NAME       an ordinary web page
/fault/NAME      error 500
"""

from __future__ import annotations

import contextlib
import os
import select
import ssl
import subprocess
import threading
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit


class GitServer(ThreadingHTTPServer):
    """`requests` lists what was asked for, so a test can say that nothing was."""

    daemon_threads = True

    def __init__(self, folder: Path, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder, self.requests, self.redirect_to, self.ended = folder, list[str](), "", threading.Event()
        self.scheme = "https" if tls else "http"
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_side=True)

    def url(self, name: str, place: str = "git") -> str:
        """Where the repository `name` is, seen in one of the ways above."""
        return f"{self.scheme}://127.0.0.1:{self.server_port}/{place}/{name}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that go away are the point of many tests."""


class _Handler(BaseHTTPRequestHandler):
    server: GitServer

    def do_GET(self) -> None:
        self.server.requests.append(self.path)
        place, _, rest = self.path.lstrip("/").partition("/")
        match place:
            case "git":
                self._backend(rest)
            case "private":
                self._answer(401, "Who are you?", ("WWW-Authenticate", 'Basic realm="git"'))
            case "moved":
                self._answer(302, "", ("Location", f"/git/{rest}"))
            case "elsewhere":
                self._answer(302, "", ("Location", f"{self.server.redirect_to}/{rest}"))
            case "slow":
                self._drip()
            case "endless":
                self._endless(rest)
            case "page":
                self._answer(200, "<html>Welcome</html>", ("Content-Type", "text/html"))
            case "rude":
                words = _packet("ERR \x1b[2J\x1b]0;mine\x07<script>alert(1)</script>\u202e\r\ngo away\n".encode())
                head = b"001e# service=git-upload-pack\n0000"
                kind = "application/x-git-upload-pack-advertisement"
                self._answer(200, (head + words).decode(), ("Content-Type", kind))
            case "dumb":
                self._file(rest)
            case "fault":
                self._answer(500, "\x1b[31mout of order")
            case _:
                self._answer(404, "no such thing")

    do_POST = do_GET  # noqa: N815 - http.server names it so

    def log_message(self, *args: object) -> None:
        """Keep the test's output clean."""

    def _answer(self, code: int, text: str, *headers: tuple[str, str]) -> None:
        self.send_response(code)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def _file(self, rest: str) -> None:
        path = self.server.folder / urlsplit(rest).path
        if path.name == "http-alternates":
            self._answer(200, f"{self.server.redirect_to}/objects\n")
        elif path.is_file():
            self._answer(200, path.read_text(errors="replace"), ("Content-Type", "text/plain"))
        else:
            self._answer(404, "no such thing")

    def _drip(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/x-git-upload-pack-advertisement")
        self.end_headers()
        self.wfile.write(b"001e# service=git-upload-pack\n")
        while not self.server.ended.wait(0.05):
            if select.select([self.connection], [], [], 0)[0]:
                return  # the client has gone away

    def _endless(self, rest: str) -> None:
        if self.command == "GET":
            self._backend(rest)
            return
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if b"command=ls-refs" in body:
            self._backend(rest, body)
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/x-git-upload-pack-result")
        self.end_headers()
        self.wfile.write(b"000dpackfile\n")
        size, packing = 1 << 36, zlib.compressobj(0)
        self.wfile.write(_packet(b"\1PACK\0\0\0\2\0\0\0\1" + _blob_header(size) + packing.compress(b"")))
        while not self.server.ended.is_set():
            if piece := packing.compress(os.urandom(20000)):
                for at in range(0, len(piece), 60000):
                    self.wfile.write(_packet(b"\1" + piece[at : at + 60000]))

    def _backend(self, rest: str, body: bytes | None = None) -> None:
        parts = urlsplit(rest)
        if body is None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.server.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "PATH_INFO": f"/{parts.path}",
            "QUERY_STRING": parts.query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REMOTE_ADDR": "127.0.0.1",
        }
        with subprocess.Popen(
            ["git", "http-backend"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(body)
            process.stdin.close()
            self._relay(process)

    def _relay(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        code, headers = 200, []
        while line := process.stdout.readline().decode().strip():
            name, _, value = line.partition(": ")
            if name == "Status":
                code = int(value.split()[0])
            else:
                headers.append((name, value))
        self.send_response(code)
        for name, value in headers:
            self.send_header(name, value)
        content = process.stdout.read()
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _packet(content: bytes) -> bytes:
    return f"{len(content) + 4:04x}".encode() + content


def _blob_header(size: int) -> bytes:
    """The header of a pack's entry (gitformat-pack): type 3, size in groups of 4 and then 7 bits."""
    header, size = bytearray([3 << 4 | size & 15]), size >> 4
    while size:
        header[-1] |= 0x80
        header.append(size & 0x7F)
        size >>= 7
    return bytes(header)


@contextlib.contextmanager
def serve(folder: Path, tls: ssl.SSLContext | None = None) -> Iterator[GitServer]:
    """A running server of the bare repositories in `folder`."""
    with GitServer(folder, tls) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.ended.set()
            server.shutdown()
            thread.join()


def git(folder: Path, *arguments: str, stdin: bytes | None = None) -> str:
    """Run git in `folder` with no configuration but a name; its output."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_AUTHOR_NAME": "t",
        "GIT_AUTHOR_EMAIL": "t@example.org",
        "GIT_COMMITTER_NAME": "t",
        "GIT_COMMITTER_EMAIL": "t@example.org",
        "GIT_AUTHOR_DATE": "2024-01-01T00:00:00Z",
        "GIT_COMMITTER_DATE": "2024-01-01T00:00:00Z",
    }
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env=environment, input=stdin, capture_output=True, check=True
    )
    return done.stdout.decode().strip()


def publish(folder: Path, name: str, files: dict[str, str | bytes], links: dict[str, str] | None = None) -> str:
    """Make the bare repository `name` with one commit on main that holds `files` and symbolic `links`; its id."""
    repository = folder / name
    repository.mkdir(parents=True)
    git(repository, "init", "-q", "--bare", "-b", "main")
    listing = []
    for mode, entries in (("100644", files), ("120000", links or {})):
        for path, content in entries.items():
            data = content if isinstance(content, bytes) else content.encode()
            listing.append(f"{mode} {git(repository, 'hash-object', '-w', '--stdin', stdin=data)}\t{path}")
    git(repository, "update-index", "--add", "--index-info", stdin="\n".join(listing).encode())
    return commit_tree(repository, git(repository, "write-tree"))


def commit_tree(repository: Path, tree: str, branch: str = "main") -> str:
    """Commit a tree on a branch of a bare repository; the commit's id."""
    commit = git(repository, "commit-tree", tree, "-m", "work")
    git(repository, "update-ref", f"refs/heads/{branch}", commit)
    return commit
