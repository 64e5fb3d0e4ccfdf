"""What helps a program that lacks a module? The line for requirements.txt, or the image that has it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from packaging.utils import canonicalize_name

_MISSING: Final = re.compile(r"ModuleNotFoundError: No module named '([A-Za-z_][\w.]{0,100})'")
# Modules that aren't named as what brings them; the common ones.
_DISTRIBUTIONS: Final = {
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "mpl_toolkits": "matplotlib",
    "OpenSSL": "pyopenssl",
    "PIL": "pillow",
    "pkg_resources": "setuptools",
    "serial": "pyserial",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
    "zmq": "pyzmq",
}
_SIBLINGS: Final = frozenset({"distutils", "tkinter", "turtle", "idlelib", "ensurepip", "lib2to3"})


def missing_module(said: str, image: str, images: Mapping[str, Mapping[str, str]]) -> str:
    """Advice for a program whose last words were `said`; '' if it lacks no module.

    image: the one that it ran in. images: name -> packages in it (name -> version).
    """
    found = _MISSING.search(said)
    if found is None:
        return ""
    module = found[1].partition(".")[0]
    if module in _SIBLINGS:
        return f"The job image's Python comes without {module}. Do without it."
    distribution = _DISTRIBUTIONS.get(module, canonicalize_name(module))
    have = [name for name, packages in images.items() if name != image and distribution in packages]
    choose = f", or choose the image “{have[0]}”" if have else ""
    return (
        f"The module {module} isn't installed. If it is a package: add the line “{distribution}” to requirements.txt beside "
        f"run.py{choose}. If it is a file of yours: put {module}.py beside run.py."
    )
