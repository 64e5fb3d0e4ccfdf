"""The large image: what is locked for each machine, and, slowly, that its packages can be imported in a cell."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from appliance.engine import docker_host, ensure_engine
from image_build.job_image import ensure_job_image, packages
from image_build.recipe import Target

LEARNING = {"torch", "scikit-learn", "pandas", "matplotlib"}
IMPORTS = "import torch, sklearn, pandas, matplotlib.pyplot, gym, gym_raas; print(torch.ones(2).sum().item())"


@pytest.mark.parametrize(
    ("target", "has"),
    [
        (Target("bookworm", "amd64"), {*LEARNING, "tensorflow-cpu"}),
        (Target("bookworm", "arm64"), {*LEARNING, "tensorflow"}),
        (Target("trixie", "arm64"), {*LEARNING, "tensorflow"}),
        (Target("trixie", "amd64"), LEARNING - {"torch"} | {"tensorflow-cpu"}),
    ],
)
def test_what_is_for_learning_is_locked_for_each_machine(target: Target, has: set[str]) -> None:
    large = packages("large", target)
    assert has <= large.keys()
    assert not [name for name in large if name.startswith(("nvidia", "triton", "cuda"))]
    standard = packages("standard", target)
    assert {name: large.get(name) for name in standard} == standard, "a program moves from one to the other unchanged"


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_its_packages_can_be_imported_in_a_cell(tmp_path: Path) -> None:
    with ensure_engine(tmp_path, docker_host(os.environ)) as client:
        tag = ensure_job_image(client, "large")
        said = client.containers.run(
            tag, ["python3", "-c", IMPORTS], network_mode="none", read_only=True, remove=True, stderr=False,
            tmpfs={"/tmp": "noexec,size=64m"}, mem_limit="2g",
        )  # fmt: skip
    assert said == b"2.0\n"
