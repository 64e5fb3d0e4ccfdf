"""Can a confined child of this level be made here at all? The task that does nothing but say yes; see `isolation`."""

from __future__ import annotations

from appliance.intake import confined


def consent(order: confined.Order, teller: confined.Teller) -> dict[str, object]:
    """Answer with nothing."""
    del order, teller
    return {}


if __name__ == "__main__":
    confined.serve(consent)
