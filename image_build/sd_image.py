"""How is the SD-card image built? Packages, our code, two file systems, one image; see docs/image.md.

python -m image_build.sd_image                    build the `debian` flavour (needs root)
python -m image_build.sd_image raspberrypi        build another flavour
python -m image_build.sd_image --plan             print what would be built, as JSON; builds nothing
python -m image_build.sd_image --check            ask the package sources whether all packages are there
python -m image_build.sd_image --until packages   stop after a step
python -m image_build.sd_image --prune            build, and remove what earlier sources left in the cache
python -m image_build.sd_image --manifest URL     print Raspberry Pi Imager's list of the images that are built
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Final

from appliance.errors import RaasError
from image_build import apt_sources
from image_build.process import BuildError
from image_build.sd import build, imager, packages, tools, workshop
from image_build.sd.checks import complaints
from image_build.sd.debian import DEBIAN
from image_build.sd.flavour import Flavour
from image_build.sd.plan import Plan, plan, summary
from image_build.sd.raspberrypi import RASPBERRYPI

FLAVOURS: Final = {flavour.name: flavour for flavour in (DEBIAN, RASPBERRYPI)}
CACHE: Final = Path(__file__).resolve().parents[1] / "build" / "sd_image"


def main(arguments: list[str]) -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m image_build.sd_image", description=__doc__.splitlines()[0])
    parser.add_argument("flavour", nargs="?", choices=sorted(FLAVOURS), default="debian")
    parser.add_argument("--plan", action="store_true", help="print what would be built, as JSON")
    parser.add_argument("--check", action="store_true", help="ask the package sources whether all packages are there")
    parser.add_argument("--until", default="", metavar="STEP", help="the last step to do")
    parser.add_argument("--prune", action="store_true", help="afterwards remove what earlier sources left in the cache")
    parser.add_argument(
        "--manifest", default="", metavar="URL", help="print Imager's list; URL is where the images will be"
    )
    parser.add_argument("--archive", default="", metavar="URI", help="where the flavour's own archive is")
    options = parser.parse_args(arguments)
    try:
        planned = plan_of(FLAVOURS[options.flavour], options.archive)
        if options.plan:
            print(json.dumps(summary(planned), indent=1))
        elif options.check:
            _require_archive(planned)
            _check(planned)
        elif options.manifest:
            print(json.dumps(imager.repository(_built(), options.manifest), indent=1))
        else:
            _require_archive(planned)
            tools.check(is_root=os.geteuid() == 0)
            made = make(planned, options.until)
            print(made)
            if options.prune:
                others = [plan_of(flavour, "") for name, flavour in FLAVOURS.items() if name != options.flavour]
                print("removed", *build.prune((planned, *others), CACHE), sep="\n  ")
    except (RaasError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def make(planned: Plan, until: str = "") -> Path:
    """Do the steps that aren't done; the last one's output, for the whole plan the folder with the image."""
    made = build.run(planned, workshop.Workshop(planned).actions(), CACHE, _say, until=until)
    for packed in made.glob("*.img.zst"):
        raw = packed.with_suffix("")
        _say(f"{packed.name}: {packed.stat().st_size / 1e6:.0f} MB, unpacked {raw.stat().st_size / 1e6:.0f} MB")
    return made


def plan_of(flavour: Flavour, archive: str = "") -> Plan:
    """The plan of a flavour from the present sources. Raises BuildError where it would make no good image."""
    if archive:
        flavour = replace(flavour, archives=tuple(replace(known, uri=archive) for known in flavour.archives))
    if said := complaints(flavour):
        raise BuildError("This plan makes no good image:\n" + "\n".join(said))
    return plan(flavour, workshop.inputs(flavour.suite))


def _require_archive(planned: Plan) -> None:
    if not all(known.uri for known in planned.flavour.archives):
        name = planned.flavour.name
        raise BuildError(f"{name} takes its kernel from Raspberry Pi's archive; say where that is: --archive URI")


def _check(planned: Plan) -> None:
    machine_suite = apt_sources.codename(Path("/etc/os-release").read_text())
    packages.simulate(
        planned.flavour, planned.packages, packages.sources(planned.flavour, machine_suite, apt_sources.read())
    )
    print(f"All {len(planned.packages)} packages of {planned.flavour.name} are there and go together.")


def _built() -> list[imager.Built]:
    found = sorted(CACHE.glob("image-*/built.json"))
    if not found:
        raise BuildError("No image is built yet; run `make image`.")
    return [imager.Built(**json.loads(path.read_text())) for path in found]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
