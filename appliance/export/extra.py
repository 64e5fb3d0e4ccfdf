"""Is the package that a form of export needs installed? Only then is it imported, and only when it is used."""

from __future__ import annotations

import importlib
from typing import Any

from appliance.errors import RaasError


class MissingPackage(RaasError):
    """A form of export needs a package of the extra `export`; the message says how to get it."""


def needed(module: str, form: str) -> Any:
    """The module, imported. Raises MissingPackage."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingPackage(
            f"The form '{form}' needs {module.partition('.')[0]}, which isn't installed: "
            "pip install './gym_raas[export]' in a clone of the repository. csv needs nothing."
        ) from error
