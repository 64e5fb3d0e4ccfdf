"""What looks through a camera of the network? `python -m appliance.camera --data DATA --parent PID`."""

from __future__ import annotations

import sys

from appliance.camera import lookout, source

if __name__ == "__main__":
    sys.exit(lookout.run("python -m appliance.camera", __doc__, lambda config, _paths: source.at(config.camera.url)))
