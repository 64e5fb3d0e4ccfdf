"""The command line `raas`."""

from appliance.cli.app import main

__all__ = ["main"]
