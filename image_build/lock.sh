#!/usr/bin/env bash
# Resolve all dependencies into hashed requirement files, for every supported Python on Linux: `make lock`.
# The files name no registry and hold for a machine that has none but PyPI.
set -euo pipefail
cd "$(dirname "$0")/.."

uv=.cache/lock/bin/uv
if [ ! -x $uv ]; then
    python3 -m venv .cache/lock
    .cache/lock/bin/python -m pip install --quiet --disable-pip-version-check uv
fi

# resolve SOURCE... -o LOCK: an index that only this machine has would put files into the lock that others can't get.
resolve() {
    env -u UV_INDEX -u UV_DEFAULT_INDEX -u UV_INDEX_URL -u UV_EXTRA_INDEX_URL -u UV_FIND_LINKS \
        $uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-sources \
        --custom-compile-command "make lock" "$@"
    echo "locked ${*: -1}"
}

projects=(pyproject.toml gym_raas/pyproject.toml)
resolve --group build -o requirements-build.txt
resolve --group node -o requirements-node.txt
resolve --group ministack -o tests/federation/ministack.txt
resolve "${projects[@]}" -o requirements.txt
# Tests and jobs use the versions that the appliance runs with.
resolve "${projects[@]}" --extra window --extra numba --group dev -c requirements.txt -o requirements-dev.txt
resolve image_build/job-standard.in -c requirements.txt -o image_build/job-standard.txt
# torch apart: image_build/job-torch.txt is kept by hand, and says why.
resolve image_build/job-large.in -c requirements.txt -o image_build/job-large.txt
