"""A limit of the cell that doesn't hold is said on every page, and only then."""

from __future__ import annotations

import time

import pytest

from appliance import facts
from tests.webui.conftest import set_stage
from tests.webui.http_calls import call


@pytest.mark.parametrize("said", ["This machine doesn't enforce <memory>.", ""])
def test_every_page_says_which_limit_does_not_hold(said: str) -> None:
    with set_stage() as stage:
        stage.store.set_fact(facts.UNENFORCED, said, time.time())
        with stage.serve() as web:
            for address in ("/", "/submit", "/jobs", "/no-such-page"):
                page = call(web.port, "GET", address, headers={"Accept": "text/html"}).body
                assert (b"enforce &lt;memory&gt;" in page) is bool(said), address
