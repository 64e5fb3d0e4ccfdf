"""No secret in a log, an address or a file that others read, after everything was done in which secrets take part."""

from __future__ import annotations

import re
from pathlib import Path

from appliance.webui.app import TEMPLATES
from tests.webui.besieged import NEW_PASSWORD, PASSWORD, bearer, cookie, fill_in
from tests.webui.conftest import set_stage
from tests.webui.http_calls import call, post_json

WRONG = "a guess that was nearly right"


def test_after_claims_logins_and_tokens_no_secret_stands_anywhere_but_with_the_owner() -> None:
    with set_stage("robot: {link: pigpiod}\nweb: {submit: token}\n") as stage, stage.serve() as web:
        code = (stage.paths.identity / "setup-code").read_text().strip()
        addresses = []
        claimed = fill_in(web, "/claim", code=code, password=PASSWORD)
        owner = cookie(claimed)
        own = {**owner, "Origin": web.url, "Host": web.url.partition("//")[2]}
        token = post_json(web.port, "/api/tokens", {"name": "anna"}, **own).json["token"]
        by_token = fill_in(web, "/login", password=token)
        addresses += [claimed.headers["location"], by_token.headers["location"]]
        addresses.append(fill_in(web, "/owner/password", owner, old=PASSWORD, new=NEW_PASSWORD).headers["location"])
        assert fill_in(web, "/login", password=WRONG).status == 403
        wish = {"git_url": "https://example.org/a.git", "name": "theirs"}
        assert post_json(web.port, "/api/jobs", wish, **bearer(token)).status == 201
        assert call(web.port, "GET", "/api/tokens", headers=bearer(token + "x")).status == 401
        fill_in(web, "/logout", cookie(by_token))
        sessions = [each["Cookie"].partition("=")[2] for each in (owner, cookie(by_token))]
        secrets = [PASSWORD, NEW_PASSWORD, WRONG, token, *sessions]
        public = [
            path for path in stage.folder.rglob("*") if path.is_file() and stage.paths.identity not in path.parents
        ]
        assert len(public) > 3
        for secret in secrets:
            assert not any(secret in address for address in addresses)
            assert not [path for path in public if secret.encode() in path.read_bytes()], "also not in the log"
        kept = b"".join(path.read_bytes() for path in stage.paths.identity.iterdir())
        assert not [secret for secret in secrets if secret.encode() in kept], "the owner's file knows hashes only"
        assert len(re.findall(re.escape(code), web.said)) == 1, "said once, for whoever sees the console"


def test_no_form_puts_a_secret_into_an_address() -> None:
    for template in Path(TEMPLATES).glob("*.html"):
        for form in re.findall(r"<form.*?</form>", template.read_text(), re.DOTALL):
            if 'type="password"' in form:
                assert 'method="post"' in form.partition(">")[0], template.name
