"""What owners write is applied as far as it is right; the rest is explained; secrets appear nowhere."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from image_build.sd.files import EXAMPLE
from image_build.sd.setup_file import Setup, from_preseed, parse, without_secrets

KEY = "ssh-ed25519 " + "A" * 68 + " me@laptop"


def test_the_example_on_the_card_is_right() -> None:
    setup, problems = parse(EXAMPLE)
    assert problems == ()
    assert (setup.hostname, setup.wifi and setup.wifi.country, len(setup.ssh_keys)) == ("raas-lab", "DE", 1)
    assert setup.fleet is not None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("wifi: {network: lab, password: short}", "`wifi.password` has 5 bytes; it must have 8 to 63"),
        ("wifi: {password: long enough}", "`wifi` lacks the key `network`"),
        ("wifi: {network: lab, pasword: long enough}", "no key `wifi.pasword`; did you mean `password`?"),
        ("wifi: {network: lab, country: germany}", "must be two capital letters"),
        ("wifi: my network", "must be a section with `network:`"),
        ("hostname: My Robot!", "must be small letters, digits and hyphens"),
        ("ssh_keys: [hello]", "must be a list of public keys"),
        ("passwort: geheim", "there is no key `passwort`"),
        ("wifi: {network: [lab", "no valid YAML in line"),
        ("just text", "holds no keys"),
        ("name: 3", "must be a text of 1 to 40 characters"),
        ("? [a]\n: b", "no valid YAML"),
    ],
)
def test_a_mistake_is_explained(text: str, said: str) -> None:
    assert said in " ".join(parse(text)[1])


def test_one_mistake_costs_one_key() -> None:
    setup, problems = parse(f"name: lab\nssh_keys: ['{KEY}']\nwifi: {{network: lab, password: short}}\n")
    assert (setup.name, setup.ssh_keys, setup.wifi, len(problems)) == ("lab", (KEY,), None, 1)


def test_an_open_network_and_a_ready_made_key_are_fine() -> None:
    assert parse("wifi: {network: lab}")[1] == ()
    assert parse(f"wifi: {{network: lab, password: {'ab' * 32}}}")[1] == ()


SECRET = st.text("abcXYZ0189", min_size=6, max_size=20).map(lambda text: f"S3cret{text}")


@given(SECRET, st.sampled_from(["owner_password", "wifi", "passwort", "fleet", "ssh_keys", "hostname", "name"]))
def test_no_message_repeats_what_was_written(secret: str, key: str) -> None:
    for text in (
        f"{key}: [{{{secret}: 1}}]",
        f"{key}: {{password: {secret}}}",
        f"{key}: '{secret}\x01'",
        f"{key}: [{secret}",
    ):
        assert secret not in " ".join(parse(text)[1]).replace(f"`{secret}`", "")


@given(SECRET)
def test_secrets_leave_the_file_wherever_they_stand(secret: str) -> None:
    for text in (
        f"name: lab\nwifi: {{network: lab, password: {secret}}}\nowner_password: {secret}\n",
        f"fleet: {{endpoint: https://a, bucket: robots, access_key: {secret}, secret_key: {secret}}}",
        f"wifi: {secret}\nname: lab",
        f"passwort: {secret}\nwifi: {{network: lab, pasword: {secret}}}",
        f"owner_password: |\n  {secret}\n  {secret}\n",
    ):
        assert secret not in without_secrets(text)
    assert yaml.safe_load(without_secrets(f"name: lab\nowner_password: {secret}")) == {"name": "lab"}


@given(st.text(max_size=200))
def test_any_text_is_survived(text: str) -> None:
    assert isinstance(parse(text)[0], Setup)
    assert isinstance(from_preseed(text)[0], Setup)
    without_secrets(text)


def test_what_imager_writes_means_the_same() -> None:
    setup, problems = from_preseed(
        f'config_version = "1.0"\n[system]\nhostname = "Lab"\n[user]\nname = "pi"\n'
        f'[ssh]\nenabled = true\nauthorized_keys = ["{KEY}"]\n[wlan]\nssid = "lab"\npassword = "long enough"\ncountry = "DE"\n'
    )
    assert problems == ()
    assert (
        setup
        == parse(f"hostname: lab\nssh_keys: ['{KEY}']\nwifi: {{network: lab, password: long enough, country: DE}}")[0]
    )
