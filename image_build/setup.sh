#!/usr/bin/env bash
# Install what this checkout needs on a Debian-like machine, as root:
#
#     image_build/setup.sh run    to run the appliance
#     image_build/setup.sh dev    to test it as well
#     image_build/setup.sh image  to build and boot the SD-card image, too
#     image_build/setup.sh hardware  to draw the robot's wiring and make its printed parts
#
# Each step remembers a hash of its inputs in .cache/setup, so that a second call has nothing to do. A step's output
# goes to a log; only when it fails is the log's end shown.
set -euo pipefail
cd "$(dirname "$0")/.."

mode=${1:-run}
state=.cache/setup
# Where root's programs are, also when a user's environment came along with sudo.
export PATH="$PATH:/usr/sbin:/sbin"

main() {
    case $mode in run | dev | image | hardware) ;; *) fail "usage: image_build/setup.sh run|dev|image|hardware" ;; esac
    [ "$(id -u)" -eq 0 ] || fail "Set-up installs packages and needs root: use sudo, or make, which does that."
    mkdir -p $state
    exec 9>$state/lock
    flock 9
    debian_packages
    python_environment
    front_end
    job_image
}

debian_packages() {
    missing=()
    find_python || missing+=(python3 python3-venv)
    needs dockerd docker.io
    needs iptables iptables
    needs mmdebstrap mmdebstrap
    needs git git
    # Docker can start no container where the kernel has AppArmor and its parser is missing.
    [ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)" != Y ] || needs apparmor_parser apparmor
    if [ "$mode" != run ]; then
        needs chromium chromium fonts-dejavu-core
        needs pigs pigpio-tools
        needs cyclictest rt-tests
        needs stress-ng stress-ng
        needs Xvfb xvfb
        needs ip iproute2
        needs systemd-analyze systemd
        needs systemd-nspawn systemd-container
        needs sfdisk fdisk
        needs mkfs.vfat dosfstools
        needs mcopy mtools
        needs zstd zstd
    fi
    if [ "$mode" = hardware ]; then
        needs dot graphviz
        needs openscad openscad
    fi
    if [ "$mode" = image ]; then
        # What image_build/sd/tools.py asks for, and the emulator.
        needs aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu libc6-dev-arm64-cross
        needs arch-test arch-test
        needs debugfs e2fsprogs
        needs dpkg-source dpkg-dev
        needs make make
        needs qemu-aarch64-static qemu-user-static
        needs update-binfmts binfmt-support
        needs qemu-system-aarch64 qemu-system-arm
        needs ssh openssh-client
    fi
    if [ ${#missing[@]} -gt 0 ]; then
        step "Debian packages: ${missing[*]}" apt "" "apt-get must reach a Debian mirror." install_debian
        find_python || fail "Python 3.11 or newer is needed; Debian 12 and later have it."
    fi
}

install_debian() {
    export DEBIAN_FRONTEND=noninteractive
    apt-get update
    apt-get install --yes --no-install-recommends -o DPkg::Lock::Timeout=300 "${missing[@]}"
}

# needs PROGRAM PACKAGE...: note the packages as missing unless the program is there.
needs() {
    command -v "$1" >/dev/null || missing+=("${@:2}")
}

# The first Python that is new enough and can make environments.
find_python() {
    for python in ${PYTHON:-} python3 python3.13 python3.12 python3.11 /usr/bin/python3; do
        "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && return
    done
    return 1
}

python_environment() {
    local sources=(requirements-build.txt pyproject.toml gym_raas/pyproject.toml)
    local run_key dev_key
    # A folder that was moved keeps its old path in every script, and a Python that was removed leaves dead links.
    [ "$(.venv/bin/python -c 'import sys; print(sys.prefix)' 2>/dev/null)" = "$(pwd -P)/.venv" ] || rm -rf .venv $state/python.stamp
    run_key="run $(hash_of "${sources[@]}" requirements.txt)"
    dev_key="dev $(hash_of "${sources[@]}" requirements-dev.txt)"
    local hint="pip must reach PyPI. If a hash doesn't match, recreate the locks with \`make lock\`."
    if [ "$mode" != run ]; then
        step "Python environment with test tools" python "$dev_key" "$hint" install_python requirements-dev.txt
    elif ! is_done python "$dev_key"; then # what testing needs includes what running needs
        step "Python environment" python "$run_key" "$hint" install_python requirements.txt
    fi
}

install_python() {
    [ -d .venv ] || "$python" -m venv .venv
    pip() { .venv/bin/python -m pip --disable-pip-version-check --no-input "$@"; }
    pip install --require-hashes --only-binary :all: -r requirements-build.txt
    pip install --require-hashes --no-build-isolation -r "$1"
    pip install --no-deps --no-build-isolation --no-index -e . -e ./gym_raas
}

front_end() {
    step "Front-end libraries" frontend "$(hash_of package.json package-lock.json image_build/front_end.sh)" \
        "npm must reach its registry." image_build/front_end.sh
}

job_image() {
    local tag
    tag=$(.venv/bin/python -m image_build.job_image tag) || fail "The job image can't be planned; see above."
    step "Job image" job_image "$tag ${DOCKER_HOST:-}" \
        "apt-get and pip must reach their mirrors, and Docker Engine must be able to run." \
        .venv/bin/python -m image_build.job_image build
}

hash_of() {
    cat "$@" | sha256sum | cut -c 1-16
}

is_done() {
    [ "$(cat "$state/$1.stamp" 2>/dev/null)" = "$2" ]
}

# step LABEL NAME KEY HINT COMMAND...: run the command unless it was done for KEY; an empty KEY is always run.
step() {
    local label=$1 name=$2 key=$3 hint=$4 started=$EPOCHREALTIME
    shift 4
    if [ -n "$key" ] && is_done "$name" "$key"; then return; fi
    printf '%s ... ' "$label"
    # In the background, because `set -e` doesn't act inside a condition. The lock isn't for services that apt starts.
    "$@" </dev/null >"$state/$name.log" 2>&1 9>&- &
    if ! wait $!; then
        printf 'failed\n\n'
        tail -n 20 "$state/$name.log"
        fail "
$hint
All of the output: $state/$name.log. When that is mended, run the same command again."
    fi
    echo "$key" >"$state/$name.stamp"
    awk -v a="$started" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f s\n", b - a }'
}

fail() {
    printf '%s\n' "$1" >&2
    exit 1
}

main
