"""How are an index's pages and wheels got? Over https as this machine's pip would, or from a local folder.

An index that the owner configured may be anywhere. Whatever its pages and redirects point to beyond must be a public
address, or one at which such an index itself stands.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urljoin, urlsplit
from urllib.request import url2pathname

import requests
from packaging.utils import canonicalize_name
from requests.utils import select_proxy

from appliance.intake import egress
from appliance.layers import index_page
from appliance.layers.index_page import Wheel
from appliance.layers.pip_settings import PipSettings

_MAX_PAGE_BYTES: Final = 64 << 20
_CHUNK_BYTES: Final = 1 << 18
_MAX_REDIRECTS: Final = 5
_GONE: Final = frozenset({401, 403, 404, 410})  # as for pip: another index may have it


class Unavailable(Exception):
    """An index could not be asked; the message names no address, as that may hold a password."""


class Upstream:
    """The indexes of one build. Safe for several threads."""

    def __init__(self, settings: PipSettings) -> None:
        self._settings = settings
        self._session = requests.Session()  # takes proxies and passwords from the environment, as pip does
        if settings.certificates:
            self._session.verify = settings.certificates
        if settings.client_certificate:
            self._session.cert = settings.client_certificate
        if settings.proxy:
            self._session.proxies = {"http": settings.proxy, "https": settings.proxy}
        named = (*settings.pages, *settings.links)
        self._trusted = {urlsplit(place).hostname for place in named if "://" in place}

    def close(self) -> None:
        """Close connections."""
        self._session.close()

    def wheels(self, project: str) -> list[Wheel]:
        """All wheels of a project, of all indexes. Raises Unavailable."""
        project = canonicalize_name(project)
        pages = [f"{page.rstrip('/')}/{project}/" for page in self._settings.pages]
        found = [wheel for page in pages for wheel in self._page(page)]
        found += [wheel for place in self._settings.links for wheel in self._links(place)]
        once = {wheel.name: wheel for wheel in reversed(found) if wheel.project == project}
        return list(once.values())

    @contextlib.contextmanager
    def open(self, url: str) -> Iterator[Iterator[bytes]]:
        """The content of a file, piece by piece. Raises Unavailable."""
        if urlsplit(url).scheme == "file":
            try:
                with open(_path(url), "rb") as file:
                    yield iter(lambda: file.read(_CHUNK_BYTES), b"")
            except OSError as error:
                raise Unavailable("A file of a local index can't be read.") from error
            return
        with self._get(url) as answer:
            if answer.status_code != 200:
                raise Unavailable(f"The package index answered {answer.status_code}.")
            yield answer.iter_content(_CHUNK_BYTES)

    def _links(self, place: str) -> list[Wheel]:
        """The wheels of a `find-links`: a folder's files, or a page's links."""
        if "://" in place and not place.startswith("file:"):
            return self._page(place)
        folder = _path(place) if place.startswith("file:") else Path(place)
        if folder.is_dir():
            return [Wheel(path.name, path.as_uri(), {}) for path in folder.iterdir() if index_page.is_wheel(path.name)]
        return self._page(folder.resolve().as_uri())

    def _page(self, url: str) -> list[Wheel]:
        if urlsplit(url).scheme == "file":
            path = _path(url)
            path = path / "index.html" if path.is_dir() else path
            return index_page.read(path.read_bytes(), "text/html", url) if path.is_file() else []
        with self._get(url) as answer:
            if answer.status_code in _GONE:
                return []
            if answer.status_code != 200:
                raise Unavailable(f"The package index answered {answer.status_code}.")
            content = b""
            for chunk in answer.iter_content(_CHUNK_BYTES):
                content += chunk
                if len(content) > _MAX_PAGE_BYTES:
                    raise Unavailable("A page of the package index is far too long.")
            try:
                found = index_page.read(content, answer.headers.get("Content-Type", ""), answer.url)
            except ValueError as error:
                raise Unavailable(f"The package index sent something else: {error}.") from error
        return [wheel for wheel in found if urlsplit(wheel.url).scheme in {"http", "https"}]

    def _get(self, url: str) -> requests.Response:
        headers = {"Accept": index_page.ACCEPT, "Accept-Encoding": "identity"}
        for _ in range(_MAX_REDIRECTS):
            self._judge(url)
            try:
                answer = self._session.get(
                    url, headers=headers, stream=True, timeout=self._settings.timeout_s, allow_redirects=False
                )
            except requests.RequestException as error:
                raise Unavailable(f"The package index can't be reached ({_why(error)}).") from error
            if not answer.is_redirect:
                return answer
            url = urljoin(url, answer.headers.get("Location", ""))
            answer.close()
        raise Unavailable("The package index redirects without end.")

    def _judge(self, url: str) -> None:
        """Raises Unavailable for a place that neither the owner named nor the public Internet has."""
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise Unavailable("The package index points to something that is no web address.")
        if parts.hostname in self._trusted:
            return
        if select_proxy(url, self._session.merge_environment_settings(url, {}, None, None, None)["proxies"]):
            return  # the proxy resolves the name and decides
        port = parts.port or (443 if parts.scheme == "https" else 80)
        own = {address for host in self._trusted if host for address in _addresses(host, port)}
        attached = egress.near()
        found = _addresses(parts.hostname, port)
        if not found or not all(address in own or egress.is_public(address, attached) for address in found):
            raise Unavailable("The package index points to a private address, or to one that can't be resolved.")


def _addresses(host: str, port: int) -> set[egress.Address]:
    """All addresses of a name; none if it can't be resolved."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return set()
    return {ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found}


def _path(url: str) -> Path:
    return Path(url2pathname(urlsplit(url).path))


def _why(error: requests.RequestException) -> str:
    """The kind of a failure, in words; the library's own text has the address in it."""
    kinds = {
        requests.exceptions.SSLError: "its certificate isn't accepted",
        requests.exceptions.ProxyError: "the proxy refuses",
        requests.exceptions.Timeout: "it doesn't answer in time",
        requests.exceptions.ConnectionError: "no connection",
    }
    return next((words for kind, words in kinds.items() if isinstance(error, kind)), "an odd answer")
