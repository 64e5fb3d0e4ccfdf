"""Which cookies does a browser send? Read so that one odd cookie doesn't cost the others.

Cookies don't know ports: any other service on the same host may set one with a name that Python's own reader refuses, and
with it the whole request. Such a browser must still see the page, stay logged in, and stop the robot.
"""

from __future__ import annotations


def parse(header: str) -> dict[str, str]:
    """Name and value of each cookie in a `Cookie` header; of two with one name the first, which is the more specific.

    >>> parse('a/b=1; raas_name="anna"; broken')
    {'a/b': '1', 'raas_name': 'anna'}
    """
    found: dict[str, str] = {}
    for piece in header.split(";"):
        name, equals, value = piece.strip().partition("=")
        if equals:
            found.setdefault(name, value.removeprefix('"').removesuffix('"'))
    return found
