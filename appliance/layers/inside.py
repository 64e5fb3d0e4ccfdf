"""What happens inside the build container? Started there as a script, under the job image's Python, with nothing but it.

Opens a port that leads to the door, has pip say what is missing in the image, installs that into /layer/site, compiles
it, and writes down what it was. Standard library only: of the appliance nothing but this file and pip is seen in there.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading

DOOR = "/door/index.sock"
ORDER = "/order/requirements.txt"
LAYER = "/layer"
SCRATCH = "/layer/tmp"


def lead_to_door() -> int:
    """Listen on a port of the container's own loopback, the other end being the door; returns the port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            client, _ = listener.accept()
            door = socket.socket(socket.AF_UNIX)
            door.connect(DOOR)
            for source, sink in ((client, door), (door, client)):
                threading.Thread(target=_pump, args=(source, sink), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    return int(listener.getsockname()[1])


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while chunk := source.recv(65536):
            sink.sendall(chunk)
    except OSError:
        pass
    finally:
        try:
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def pip(port: int, *arguments: str) -> None:
    """Run pip; its words go to the container's output. Ends the process as pip ended if it failed."""
    options = ["--isolated", "--no-input", "--disable-pip-version-check", "--no-cache-dir", "--retries=0"]
    install = [
        "--only-binary=:all:", "--break-system-packages", "--progress-bar=off", "--root-user-action=ignore",
        f"--index-url=http://127.0.0.1:{port}/simple/",
    ]  # fmt: skip
    code = subprocess.call([sys.executable, "-m", "pip", *options, "install", *install, *arguments])
    if code != 0:
        sys.exit(code)


def pins(found: dict[str, str]) -> list[str]:
    """What to install, as arguments of pip's. With hashes where the order has them: so far perhaps no wheel was looked at."""
    with open(ORDER) as file:
        lines = file.read().splitlines()
    if not any("--hash=" in line for line in lines):
        return [f"{name}=={version}" for name, version in found.items()]
    names = {plain_name(name) for name in found}
    chosen = [line for line in lines if plain_name(re.split(r"[\[=<>~!; ]", line)[0]) in names]
    with open(f"{SCRATCH}/pins.txt", "w") as file:
        file.write("".join(f"{line}\n" for line in chosen))
    return ["--require-hashes", f"--requirement={SCRATCH}/pins.txt"]


def plain_name(name: str) -> str:
    """A distribution's name in its one normal form."""
    return re.sub(r"[-_.]+", "-", name).lower()


def main() -> None:
    """Install what the order asks for and the image lacks."""
    site, report = f"{LAYER}/site", f"{LAYER}/report.json"
    os.makedirs(site)
    os.makedirs(SCRATCH)
    port = lead_to_door()
    pip(port, "--quiet", "--dry-run", f"--report={report}", f"--requirement={ORDER}")
    with open(report) as file:
        found = {item["metadata"]["name"]: item["metadata"]["version"] for item in json.load(file)["install"]}
    if found:
        pip(port, "--quiet", "--no-deps", "--no-compile", f"--target={site}", *pins(found))
        compiling = ["-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", site]
        subprocess.call([sys.executable, *compiling], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with open(f"{LAYER}/packages.json", "w") as file:
        json.dump(found, file)


if __name__ == "__main__":
    main()
