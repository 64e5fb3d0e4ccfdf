"""What can be wrong with a camera, in a sentence for its owner."""

from __future__ import annotations

from appliance.errors import RaasError


class CameraError(RaasError):
    """There are no pictures now; the sentence says why, and what to do."""
