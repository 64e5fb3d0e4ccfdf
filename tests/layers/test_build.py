"""Packages installed by the real pip in the real image: what is taken, what is refused, what a package can't do."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from appliance.engine import docker_host, ensure_engine
from appliance.errors import BadSource, Cancelled
from appliance.layers import build, cache
from appliance.layers.build import Container, Site
from appliance.layers.cache import Cache, Layer
from appliance.layers.pip_settings import PipSettings
from appliance.layers.upstream import Upstream
from image_build.job_image import ensure_job_image
from tests.layers.wheels import folder, wheel

HOST = docker_host(os.environ)
TAG = f"deps{os.getpid():x}"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[docker.DockerClient]:
    with ensure_engine(tmp_path_factory.mktemp("engine"), HOST) as client:
        yield client


@pytest.fixture(scope="module")
def image(engine: docker.DockerClient) -> str:
    return ensure_job_image(engine)


class Yard:
    """Builds from a folder of wheels into a cache."""

    def __init__(self, path: Path, image: str, *wheels: tuple[str, bytes], max_mb: int = 16) -> None:
        self.links, self.image, self.cache = folder(path / "links", *wheels), image, Cache(path / "layers", 1 << 30)
        self.site = Site(HOST, TAG, path / "rt", 61001, (0,), max_mb, 512, 120.0)

    def layer(self, requirements: str, *, is_cancelled: bool = False) -> Layer:
        def fill(part: Path) -> dict[str, str]:
            upstream = Upstream(PipSettings((), (str(self.links),)))
            return build.build(requirements, self.image, part, self.site, upstream, lambda: is_cancelled)

        return self.cache.make(cache.key(requirements, "standard", {}), fill)

    def refusal(self, requirements: str) -> str:
        message = self.refused(requirements)
        assert list(self.cache._folder.iterdir()) == []
        return message

    def refused(self, requirements: str) -> str:
        with pytest.raises(BadSource) as refused:
            self.layer(requirements)
        return str(refused.value)


@pytest.fixture(autouse=True)
def nothing_stays(engine: docker.DockerClient) -> Iterator[None]:
    yield
    assert engine.api.containers(all=True, filters={"label": f"{build.LABEL}={TAG}"}) == []


def test_what_the_image_lacks_is_installed_and_what_it_has_is_not(tmp_path: Path, image: str) -> None:
    yard = Yard(
        tmp_path, image, wheel("hello", needs=("numpy", "deeper")), wheel("deeper", "2.0"), wheel("numpy", "9.9")
    )
    layer = yard.layer("hello>=1\nnumpy\n")
    assert layer.contents.packages == {"hello": "1.0", "deeper": "2.0"}
    assert (layer.site / "hello" / "__init__.py").read_text() == "VERSION = '1.0'\n"
    assert list((layer.site / "hello").glob("__pycache__/*.pyc"))
    assert {path.stat().st_uid for path in layer.site.rglob("*")} == {os.getuid()}
    run = [
        "docker",
        "run",
        "--rm",
        "--network=none",
        "-v",
        f"{layer.site}:/layer/site:ro",
        "-e",
        "PYTHONPATH=/layer/site",
        image,
    ]
    said = subprocess.run(
        [*run, "python3", "-c", "import hello, deeper, numpy; print(hello.VERSION, deeper.VERSION)"],
        capture_output=True,
        text=True,
    )
    assert said.stdout == "1.0 2.0\n", said.stderr


def test_pips_own_words_are_shown_when_there_is_no_such_version(tmp_path: Path, image: str) -> None:
    message = Yard(tmp_path, image, wheel("hello")).refusal("hello>=2\n")
    assert "No matching distribution found for hello>=2" in message
    assert "from versions: 1.0" in message
    assert "127.0.0.1" not in message


def test_a_wheel_is_taken_if_its_hash_is_the_one_that_was_asked_for(tmp_path: Path, image: str) -> None:
    (name, content), other = wheel("hello"), wheel("deeper")
    yard = Yard(tmp_path, image, (name, content), other)
    right = hashlib.sha256(content).hexdigest()
    layer = yard.layer(f"--require-hashes\nhello==1.0 --hash=sha256:{right}\n")
    assert layer.contents.packages == {"hello": "1.0"}
    message = Yard(tmp_path / "wrong", image, (name, content), other).refusal(
        f"--require-hashes\nhello==1.0 --hash=sha256:{'0' * 64}\n"
    )
    assert "Check the hash" in message
    assert right in message, "what the index has is told"
    message = yard.refused(f"--require-hashes\ndeeper\nhello==1.0 --hash=sha256:{right}\n")
    assert "deeper" in message


def test_source_distributions_are_not_run(tmp_path: Path, image: str) -> None:
    yard = Yard(tmp_path, image, ("evil-1.0.tar.gz", b"a setup.py would be in here"))
    assert "No matching distribution found for evil" in yard.refusal("evil\n")


def test_a_wheel_with_ways_out_of_its_folder_is_refused_and_writes_nothing(tmp_path: Path, image: str) -> None:
    evil = wheel("evil", files={"../../../../../../layer/../order/x": "x", "evil/__init__.py": ""})
    message = Yard(tmp_path, image, evil).refusal("evil\n")
    assert "evil" in message
    assert not list(tmp_path.rglob("x"))


def test_packages_that_are_too_large_are_refused(tmp_path: Path, image: str) -> None:
    yard = Yard(tmp_path, image, wheel("big", files={"big/data": os.urandom(3 << 20)}), max_mb=1)
    assert "larger" in yard.refusal("big\n")


def test_a_bomb_that_unpacks_to_far_more_is_refused(tmp_path: Path, image: str) -> None:
    yard = Yard(tmp_path, image, wheel("bomb", files={"bomb/data": bytes(64 << 20)}), max_mb=2)
    assert "larger" in yard.refusal("bomb\n")


def test_a_cancelled_build_leaves_nothing(tmp_path: Path, image: str) -> None:
    yard = Yard(tmp_path, image, wheel("hello"))
    with pytest.raises(Cancelled):
        yard.layer("hello\n", is_cancelled=True)
    assert list((tmp_path / "layers").iterdir()) == []


def test_whoever_took_over_pip_finds_no_network_no_secret_and_no_docker(
    tmp_path: Path, image: str, engine: docker.DockerClient
) -> None:
    """The container as it is built in, running a stranger's program instead of pip."""
    work, door = tmp_path / "work", tmp_path / "door"
    for path in (work / "order", work / "layer", door):
        path.mkdir(parents=True)
    (work / "order" / "evil.py").write_text(EVIL)
    site = Site(HOST, TAG, tmp_path, 61001, (0,), 16, 256, 60.0)
    settings = Container(image, work, door, site).arguments(engine.api)
    settings["entrypoint"] = ["python3", "/order/evil.py"]
    container = engine.api.create_container(**settings)["Id"]
    try:
        engine.api.start(container)
        engine.api.wait(container, timeout=60)
        said = engine.api.logs(container).decode()
    finally:
        engine.api.remove_container(container, force=True)
    assert said.splitlines()[-1:] == ["searched everything"], said
    assert "BROKEN" not in said, said


EVIL = """
import os, socket
for target in [("172.17.0.1", 22), ("127.0.0.1", 8080), ("192.0.2.1", 80), ("169.254.169.254", 80)]:
    try:
        socket.create_connection(target, 1)
        print("BROKEN: network", target)
    except OSError:
        pass
if [name for _, name in socket.if_nameindex()] != ["lo"]: print("BROKEN: interfaces")
for path in ["/var/run/docker.sock", "/run/docker.sock", "/etc/pip.conf", "/run/raas", "/job/run.py", "/robot"]:
    if os.path.exists(path): print("BROKEN:", path)
for name in os.environ:
    if name.upper().startswith(("PIP_", "HTTP", "NO_PROXY", "UV_")): print("BROKEN: environment", name)
for path in ["/order/x", "/door/x", "/tools/pip/x", "/x", "/usr/x"]:
    try:
        open(path, "w")
        print("BROKEN: wrote", path)
    except OSError:
        pass
if os.getuid() == 0 or int([l for l in open("/proc/self/status") if l.startswith("CapEff")][0].split()[1], 16): print("BROKEN: rights")
print("searched everything")
"""


def test_the_longest_unused_layers_make_room_but_none_in_use(tmp_path: Path) -> None:
    def fill(part: Path) -> dict[str, str]:
        (part / "site").mkdir()
        (part / "site" / "data").write_bytes(bytes(1000))
        return {"x": "1"}

    made = Cache(tmp_path, 2500)
    keys = [cache.key(str(n), "standard", {}) for n in range(4)]
    for age, key in enumerate(keys):
        made.make(key, fill)
        os.utime(tmp_path / key / "layer.json", (1000.0 + age, 1000.0 + age))
    assert made.find(keys[1]) is not None  # used just now
    (tmp_path / f"{keys[0]}x.part").mkdir()
    assert made.trim([keys[0]]) == [keys[2], keys[3]]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([keys[0], keys[1]])


def test_a_layer_that_was_cut_off_does_not_count(tmp_path: Path) -> None:
    made, key = Cache(tmp_path, 1 << 20), cache.key("a", "standard", {})

    def fill(part: Path) -> dict[str, str]:
        (part / "site").mkdir()
        raise BadSource("pip failed")

    with pytest.raises(BadSource):
        made.make(key, fill)
    assert made.find(key) is None
    assert list(tmp_path.iterdir()) == []
