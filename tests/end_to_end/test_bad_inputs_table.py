"""Is the table of bad input sound? Its sources are run through the real intake alone; the rest needs an appliance."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import yaml

from appliance import git_url
from appliance.config import Config
from appliance.errors import BadSource
from tests.end_to_end import bad_inputs
from tests.end_to_end.bad_inputs import Archive, BadInput
from tests.servers import git_server
from tests.servers.git_server import GitServer
from tests.submissions import Bench


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitServer]:
    with git_server.serve(tmp_path_factory.mktemp("repositories")) as running:
        yield running


@pytest.mark.parametrize("row", bad_inputs.SOURCES, ids=lambda row: row.name)
def test_bad_sources_are_refused_with_the_tables_words(row: BadInput, server: GitServer, tmp_path: Path) -> None:
    wanted = msgspec.convert(yaml.safe_load(bad_inputs.CONFIG), Config)
    bench = Bench(tmp_path)
    if not row.default_config:
        bench.config = msgspec.structs.replace(
            wanted, fetch=msgspec.structs.replace(wanted.fetch, uid=bench.config.fetch.uid)
        )
    if isinstance(row.submit, Archive):
        message = bench.refusal(bench.archive(row.submit.content()))
    elif row.states:
        message = bench.refusal(bench.git(row.submit.url(server), row.submit.ref))
    else:
        with pytest.raises(BadSource) as refused:
            git_url.parse(row.submit.url(server), bench.config.fetch.allow_http)
        message = str(refused.value)
    assert re.search(row.message, message), message


def test_rows_have_names_of_their_own() -> None:
    names = [row.name for row in (*bad_inputs.SOURCES, *bad_inputs.PROGRAMS, *bad_inputs.HOSTS)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("row", bad_inputs.PROGRAMS, ids=lambda row: row.name)
def test_bad_programs_are_well_formed_sources(row: BadInput, tmp_path: Path) -> None:
    assert isinstance(row.submit, Archive)
    bench = Bench(tmp_path)
    assert bench.prepare(bench.archive(row.submit.content())).files == 1
