"""Which URLs, refs and addresses are accepted: the pure rules."""

from __future__ import annotations

import contextlib
import ipaddress
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import BadSource
from appliance.intake import egress, git_url


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("https://example.org/a/b.git", "example.org", 443),
        ("https://example.org:8443/b", "example.org", 8443),
        ("https://EXAMPLE.org/a/b/", "example.org", 443),
        ("https://[2001:db8::1]:444/b", "2001:db8::1", 444),
        ("https://xn--bcher-kva.example/b~c/%20d.git", "xn--bcher-kva.example", 443),
    ],
)
def test_good_urls_are_taken_apart(url: str, host: str, port: int) -> None:
    parsed = git_url.parse(url)
    assert (parsed.host, parsed.port) == (host, port)
    assert parsed.text.lower() == url.lower()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "empty"),
        ("file:///etc", "“file:” URLs are not accepted"),
        ("ext::sh -c touch% /tmp/pwned", "odd characters"),
        ("ext::sh", "“ext:” URLs are not accepted"),
        ("fd::17", "not accepted"),
        ("git://example.org/a", "not accepted"),
        ("ftp://example.org/a", "not accepted"),
        ("ssh://git@example.org/a", "ssh"),
        ("git@example.org:you/a.git", "ssh"),
        ("--upload-pack=touch", "begin with “-”"),
        ("-u", "begin with “-”"),
        ("/etc", "not accepted"),
        ("../../etc", "not accepted"),
        ("example.org/a/b", "not accepted"),
        ("https:example.org/a", "not accepted"),
        ("http://example.org/a", "fetch.allow_http"),
        ("https://me:secret@example.org/a", "user name or password"),
        ("https://@example.org/a", "user name or password"),
        ("https://example.org", "names no repository"),
        ("https://example.org/../../a", "names no repository"),
        ("https://example.org/a%0ab", "names no repository"),
        ("https://example.org/a%00", "names no repository"),
        ("https://example.org/a?b=c", "“?” or “#”"),
        ("https://example.org/a#b", "“?” or “#”"),
        ("https://example.org/a b", "odd characters"),
        ("https://example.org/a\nb", "odd characters"),
        ("https://example.org\\@127.0.0.1/a", "odd characters"),
        ("https://exämple.org/a", "odd characters"),
        ("https://-x/a", "host name"),
        ("https://a_b%41/a", "host name"),
        ("https:///a", "host name"),
        ("https://[::1%25eth0]/a", "host name"),
        ("https://[::1/a", "not a URL"),
        ("https://example.org:99999/a", "not a URL"),
        ("https://example.org:0/a", "port 0"),
        ("https://" + "a" * 3000, "too long"),
    ],
)
def test_bad_urls_are_refused_with_what_to_do(url: str, message: str) -> None:
    with pytest.raises(BadSource) as refused:
        git_url.parse(url)
    assert message in str(refused.value)
    assert "secret" not in str(refused.value)


@given(st.one_of(st.text(max_size=60), st.from_regex(r"https?://[!-~]{1,40}", fullmatch=True)))
def test_whatever_passes_is_https_to_one_host_without_secrets(url: str) -> None:
    with contextlib.suppress(BadSource):
        parsed = git_url.parse(url)
        assert_fit(parsed)


def assert_fit(parsed: git_url.GitUrl) -> None:
    parts = urlsplit(parsed.text)
    assert parts.scheme == "https"
    assert (parts.hostname, parts.port or 443) == (parsed.host, parsed.port)
    assert not set("@?#\\ \n\r\t") & set(parsed.text)
    assert not parsed.text.startswith("-")


@pytest.mark.parametrize("ref", ["", "main", "v1.0", "feature/x-y_z", "refs/heads/main", "0" * 40, "größe"])
def test_good_refs_pass(ref: str) -> None:
    assert git_url.check_ref(ref) == ref


@pytest.mark.parametrize(
    "ref",
    ["-u", "--upload-pack=x", "+main", "a:b", "a..b", "a b", "a\nb", "a~1", "a^", "a*", "a[", "a\\b", "@", "a@{1}", "/a", "a/",
     "a.", ".a", "a/.b", "a//b", "a.lock", "a.lock/b", "\x1b[1m", "a" * 300],
)  # fmt: skip
def test_refs_that_mean_something_else_to_git_are_refused(ref: str) -> None:
    with pytest.raises(BadSource):
        git_url.check_ref(ref)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("1.1.1.1", True), ("2606:4700::1111", True), ("::ffff:1.1.1.1", True), ("64:ff9b::101:101", True),
        ("127.0.0.1", False), ("10.1.2.3", False), ("172.16.0.1", False), ("192.168.1.1", False), ("169.254.169.254", False),
        ("100.64.0.1", False), ("0.0.0.0", False), ("224.0.0.1", False), ("255.255.255.255", False), ("240.0.0.1", False),
        ("::1", False), ("::", False), ("fe80::1", False), ("fc00::1", False), ("ff02::1", False),
        ("::ffff:127.0.0.1", False), ("::ffff:10.0.0.1", False), ("64:ff9b::a00:1", False), ("2002:a00:1::", False),
        ("2001:0:53aa:64c:0:0:f5ff:fffe", False),
    ],
)  # fmt: skip
def test_only_public_addresses_count_as_public(address: str, public: bool) -> None:
    assert egress.is_public(ipaddress.ip_address(address)) is public


def test_public_addresses_of_ones_own_network_are_private_too() -> None:
    home = [ipaddress.ip_network("2600:1234::/64"), ipaddress.ip_network("203.0.112.0/24")]
    assert not egress.is_public(ipaddress.ip_address("2600:1234::99"), home)
    assert egress.is_public(ipaddress.ip_address("2600:1234:0:1::99"), home)


def test_neighbours_are_read_from_the_routing_tables() -> None:
    ipv4 = (
        "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
        "eth0\t00000000\t0102A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        "eth0\t0002A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
    )
    ipv6 = (
        "26001234000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00 1 0 1 eth0\n"
        "00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00 1 0 3 eth0\n"
    )
    assert list(map(str, egress.neighbours(ipv4, ipv6))) == ["192.168.2.0/24", "2600:1234::/64"]
