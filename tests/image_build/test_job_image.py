"""The job image, built for real and looked into from a container that is locked down as a job's."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator

import docker
import pytest
from packaging.utils import canonicalize_name

from appliance.engine import docker_host, ensure_engine
from image_build.job_image import ensure_job_image, image_tag, packages

LOOKS_AROUND = """
import importlib.metadata, json, os, sys
import gym, gym_raas, gymnasium, numpy, scipy.linalg, yaml, zmq
modules = (gym, gym_raas, gymnasium, numpy, scipy.linalg, yaml, zmq)
print(json.dumps({
    "distributions": {found.name: found.version for found in importlib.metadata.distributions()},
    "listed": json.load(open("/usr/share/raas/packages.json")),
    "ids": [os.getuid(), os.getgid()],
    "parent": open(f"/proc/1/comm").read().strip(),
    "uncompiled": [module.__name__ for module in modules if not os.path.exists(module.__cached__)],
    "sources": [name for name in ("/etc/apt", "/etc/hostname.old", "/var/lib/dpkg") if os.path.exists(name)],
    "shell": os.popen("echo it works | tr a-z A-Z").read().strip(),
}))
"""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[docker.DockerClient]:
    with ensure_engine(tmp_path_factory.mktemp("engine"), docker_host(os.environ)) as client:
        yield client


@pytest.fixture(scope="module")
def tag(client: docker.DockerClient) -> str:
    return ensure_job_image(client)


def run(client: docker.DockerClient, tag: str, *command: str) -> str:
    output: bytes = client.containers.run(
        tag,
        list(command),
        cap_drop=["ALL"],
        network_mode="none",
        read_only=True,
        remove=True,
        security_opt=["no-new-privileges"],
        stderr=True,
        tmpfs={"/tmp": "noexec,nosuid,nodev,size=8m"},
    )
    return output.decode()


@pytest.mark.timeout(600)
def test_the_image_has_the_tag_of_the_present_sources(client: docker.DockerClient, tag: str) -> None:
    assert tag == image_tag()
    assert client.images.get(tag).labels["raas.job_image"] == "standard"


def test_an_image_that_is_there_is_not_built_again(client: docker.DockerClient, tag: str) -> None:
    started_s = time.monotonic()
    assert ensure_job_image(client, say=lambda text: pytest.fail(f"did something: {text}")) == tag
    assert time.monotonic() - started_s < 2


def test_a_job_finds_what_is_listed_and_nothing_of_the_builder(client: docker.DockerClient, tag: str) -> None:
    # One line: what the imports print (gym's farewell, say) would stand in every job's log.
    (line,) = run(client, tag, "python3", "-c", LOOKS_AROUND).splitlines()
    seen = json.loads(line)
    distributions = {canonicalize_name(name): version for name, version in seen["distributions"].items()}
    assert distributions == packages() == seen["listed"]["packages"]
    assert seen["ids"] == [61000, 61000]
    assert seen["parent"] == "tini"
    assert not seen["uncompiled"], "each job would compile these anew, in memory"
    assert not seen["sources"]
    assert seen["shell"] == "IT WORKS"


def test_scripts_find_their_interpreter(client: docker.DockerClient, tag: str) -> None:
    assert run(client, tag, "/usr/bin/env", "python3", "-c", "print(6 * 7)") == "42\n"


def test_no_file_of_the_image_can_be_changed_by_the_job(client: docker.DockerClient, tag: str) -> None:
    script = "find / -xdev -user 61000 -not -path '/proc/*'; find / -xdev -perm -4000 -type f"
    assert run(client, tag, "sh", "-c", script) == ""
