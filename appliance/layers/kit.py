"""What does a job find installed? Its image, and on top of it a layer with what its `requirements.txt` asks for beyond.

A layer is named by what went into it, so the next job with the same requirements has it at once and needs no network.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from appliance import durable, engine
from appliance.config import Config, DependenciesSection
from appliance.errors import BadSource, EngineError
from appliance.intake import requirements
from appliance.jobs import Reason
from appliance.layers import build, cache, pip_settings
from appliance.layers.advice import missing_module
from appliance.layers.build import Site
from appliance.layers.cache import Cache, Layer
from appliance.layers.upstream import Upstream
from appliance.paths import Paths
from appliance.realtime.cores import loop_core
from appliance.running import cell
from appliance.running.cell import Fitting
from appliance.running.docker_cell import engine_errors
from appliance.store import Job, Store
from image_build import job_image
from image_build.recipe import RECIPES

_MARK: Final = "layer"
_SHOWN: Final = 20


@dataclass(frozen=True)
class JobImage:
    """One kind of job image: its tag on the engine, and what a program finds in it (name -> version)."""

    tag: str
    packages: Mapping[str, str]


@dataclass(frozen=True)
class Setting:
    """What a kit works with. host: Docker Engine's address. cores: the CPUs that builds may use."""

    paths: Paths
    config: Config
    host: str
    images: Mapping[str, JobImage]
    cores: tuple[int, ...]


def setting(paths: Paths, config: Config, host: str, image: str) -> Setting:
    """All job images that there are recipes for; `image` is the tag of the one that most jobs use."""
    tags = {name: job_image.image_tag(name) for name in RECIPES} | {config.job.image: image}
    images = {name: JobImage(tag, job_image.packages(name)) for name, tag in tags.items()}
    cores = cell.job_cores(range(os.cpu_count() or 1), loop_core(config.realtime.cpu))
    return Setting(paths, config, host, images, cores)


class Kit:
    """Images and layers of one appliance. `equip` is for the preparation's thread, the rest for any."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._cache = Cache(setting.paths.data / "layers", setting.config.dependencies.cache_mb << 20)

    def image(self, name: str) -> JobImage:
        """The image of that name. Raises BadSource with the choices."""
        found = self._setting.images.get(name)
        if found is None:
            raise BadSource(f"There is no job image “{name[:40]}”. Choose one of {', '.join(self._setting.images)}.")
        return found

    def layer(self, job_id: str) -> Path | None:
        """The folder of packages that belongs on the job's sys.path; None if it needs none."""
        key = self._mark(job_id)
        return self._setting.paths.data / "layers" / key / "site" if key else None

    def tell(self) -> list[str]:
        """Write down for the page what the images on the engine hold; returns their names. Raises EngineError."""
        there = [name for name, image in self._setting.images.items() if self._has(image.tag)]
        for name, image in self._setting.images.items():
            path = self._setting.paths.image_packages(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            if name in there or name == self._setting.config.job.image:
                durable.write(path, msgspec.json.encode(image.packages), sync=False)
            else:
                path.unlink(missing_ok=True)
        return there

    def fitting(self, job: Job) -> Fitting:
        """What the job's cell must have, once it is equipped."""
        images, usual = self._setting.images, self._setting.config.job.image
        return Fitting(images.get(job.image, images[usual]).tag, self.layer(job.id))

    def advice(self, job: Job, detail: str) -> str:
        """What helps a job that ended so; '' if nothing is known."""
        return missing_module(detail, job.image, {name: image.packages for name, image in self._setting.images.items()})

    def equip(self, job: Job, path: Path, store: Store, cancelled: Callable[[], bool]) -> tuple[str, ...]:
        """See to it that the job finds what the requirements at `path` ask for; returns notes for the submitter.

        Raises BadSource, Cancelled, EngineError, IsolationError.
        """
        mark = self._setting.paths.job(job.id) / _MARK
        mark.unlink(missing_ok=True)
        image, settings = self.image(job.image), self._setting.config.dependencies
        if job.image != self._setting.config.job.image and not self._has(image.tag):
            raise BadSource(
                f"The image “{job.image}” isn't on this robot. Choose {self._setting.config.job.image}, or ask the owner "
                f"for it (`make job-image IMAGE={job.image}`)."
            )
        if not settings.install:
            requirements.check(path, image.packages)
            return ()
        wanted = requirements.wanted(path, image.packages)
        if not wanted:
            return ()
        layer = self._layer(job, wanted, image, store, cancelled)
        if not layer.contents.packages:
            return ()
        durable.write(mark, layer.key.encode(), sync=False)
        named = sorted(f"{name} {version}" for name, version in layer.contents.packages.items())
        more = f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
        return (f"Installed from requirements.txt: {', '.join(named[:_SHOWN])}{more}.",)

    def sweep(self) -> None:
        """Remove build containers that a killed runner left. Raises EngineError."""
        build.sweep(self._setting.host, self._setting.paths.tag)

    def _layer(self, job: Job, wanted: str, image: JobImage, store: Store, cancelled: Callable[[], bool]) -> Layer:
        # What gym_raas is like changes with every version of ours and matters to no other package.
        packages = {name: version for name, version in image.packages.items() if name != "gym-raas"}
        key = cache.key(wanted, job.image, packages)
        found = self._cache.find(key)
        if found is not None:
            return found
        store.progress(job.id, Reason.INSTALLING, time.time())
        self._cache.trim(self._in_use(store))
        upstream, site = Upstream(pip_settings.ask()), self._site(self._setting.config.dependencies)
        return self._cache.make(key, lambda folder: build.build(wanted, image.tag, folder, site, upstream, cancelled))

    def _site(self, settings: DependenciesSection) -> Site:
        setting, mine = self._setting, os.geteuid()
        return Site(
            host=setting.host,
            tag=setting.paths.tag,
            runtime=setting.paths.runtime,
            uid=mine or setting.config.fetch.uid,
            cores=setting.cores,
            max_mb=settings.max_mb,
            memory_mb=settings.memory_mb,
            timeout_s=settings.timeout_s,
        )

    def _in_use(self, store: Store) -> set[str]:
        return {key for job in (*store.queue(), *store.active()) if (key := self._mark(job.id))}

    def _mark(self, job_id: str) -> str:
        with contextlib.suppress(OSError, UnicodeDecodeError):
            key = (self._setting.paths.job(job_id) / _MARK).read_text()
            return key if cache.is_key(key) else ""
        return ""

    def _has(self, tag: str) -> bool:
        client = engine.connect(self._setting.host)
        if client is None:
            raise EngineError("Docker Engine doesn't answer; is it running? `systemctl status docker` tells.")
        try:
            with engine_errors("the list of images"):
                return bool(client.images.list(name=tag))
        finally:
            client.close()
