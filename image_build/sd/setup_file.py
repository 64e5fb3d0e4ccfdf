"""What did the owner write into raas.yaml on the boot partition? Parsed key by key, so that one mistake costs one key.

Also reads rpi-preseed.toml, which Raspberry Pi Imager writes from its own dialogue; both mean the same `Setup`.
"""

from __future__ import annotations

import difflib
import tomllib
from typing import Annotated, Any, Final

import msgspec
import yaml
from msgspec import Meta, inspect

_HOSTNAME: Final = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
_SSH_KEY: Final = r"^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)|sk-[a-z0-9-]+@openssh\.com) [A-Za-z0-9+/=]{40,}( [^\x00-\x1f]*)?$"
_PRINTABLE: Final = r"^[^\x00-\x1f\x7f]*$"


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of the file's sections: a key that isn't declared is an error."""


class Wifi(Part, frozen=True):
    """A wireless network. Without a password it is an open one."""

    network: Annotated[
        str, Meta(min_length=1, max_length=32, pattern=_PRINTABLE, description="its name, 1 to 32 characters")
    ]
    password: Annotated[
        str, Meta(max_length=64, pattern=_PRINTABLE, description="8 to 63 characters; left out for an open network")
    ] = ""
    country: Annotated[str, Meta(pattern="^([A-Z]{2})?$", description="two capital letters, such as DE")] = ""
    hidden: Annotated[bool, Meta(description="true where the network doesn't tell its name")] = False


class Fleet(Part, frozen=True):
    """The bucket of a fleet."""

    endpoint: Annotated[str, Meta(pattern=r"^https?://[^\s/]+(/\S*)?$", description="such as https://s3.example.org")]
    bucket: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", description="its name, such as robots")]
    access_key: Annotated[str, Meta(min_length=1, max_length=200, pattern=_PRINTABLE, description="the key's name")]
    secret_key: Annotated[str, Meta(min_length=1, max_length=200, pattern=_PRINTABLE, description="the key's secret")]


class Setup(Part, frozen=True):
    """All that may be set before the first start; empty or None where nothing was said."""

    name: Annotated[str, Meta(max_length=40, pattern=_PRINTABLE, description="a text of 1 to 40 characters")] = ""
    hostname: Annotated[
        str, Meta(pattern=_HOSTNAME, description="small letters, digits and hyphens, such as raas-lab")
    ] = ""
    wifi: Wifi | None = None
    owner_password: Annotated[str, Meta(min_length=10, max_length=200, description="10 to 200 characters")] = ""
    ssh_keys: tuple[Annotated[str, Meta(pattern=_SSH_KEY)], ...] = ()
    fleet: Fleet | None = None


#: Values that nobody must find on the card afterwards: section (or none) and key.
SECRETS: Final = (("wifi", "password"), ("", "owner_password"), ("fleet", "access_key"), ("fleet", "secret_key"))
_SECTIONS: Final[dict[str, type[Part]]] = {"wifi": Wifi, "fleet": Fleet}
_RIGHT: Final = {
    "wifi": "a section with `network:` and `password:`",
    "fleet": "a section with `endpoint:`, `bucket:`, `access_key:` and `secret_key:`",
    "ssh_keys": "a list of public keys, each like `ssh-ed25519 AAAA… me@laptop`",
}


def parse(text: str, where: str = "raas.yaml") -> tuple[Setup, tuple[str, ...]]:
    """What is right in a file, and a sentence for everything that isn't. Never raises, never repeats a secret."""
    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        at = f" in line {mark.line + 1}" if mark else ""
        return Setup(), (
            f"{where} is no valid YAML{at}; compare it with raas-example.yaml. Nothing of it was applied.",
        )
    if content is None:
        return Setup(), ()
    if not isinstance(content, dict):
        return Setup(), (
            f"{where} holds no keys; it must have lines such as `name: my robot`. Nothing of it was applied.",
        )
    return _checked(content, where)


def from_preseed(text: str, where: str = "rpi-preseed.toml") -> tuple[Setup, tuple[str, ...]]:
    """The same from Imager's file. What it says of users, languages and interfaces has no meaning here and is left out."""
    try:
        content = tomllib.loads(text.removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError as error:
        return Setup(), (f"{where} is no valid TOML: {error}. Write the card anew, or use raas.yaml.",)
    system, wlan, ssh = (_table(content, key) for key in ("system", "wlan", "ssh"))
    translated: dict[str, Any] = {}
    if hostname := system.get("hostname"):
        translated["hostname"] = str(hostname).lower()
    if "ssid" in wlan:
        same = {"network": "ssid", "password": "password", "country": "country", "hidden": "hidden"}
        translated["wifi"] = {ours: wlan[theirs] for ours, theirs in same.items() if wlan.get(theirs)}
    if keys := ssh.get("authorized_keys"):
        translated["ssh_keys"] = keys
    return _checked(translated, where)


def without_secrets(text: str) -> str:
    """The file's content as it may stay on the card; empty where it can't be understood."""
    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):
        return ""
    if not isinstance(content, dict):
        return ""
    kept = {key: dict(value) if isinstance(value, dict) else value for key, value in content.items()}
    for section, key in SECRETS:
        holder = kept.get(section) if section else kept
        if isinstance(holder, dict):
            holder.pop(key, None)
        elif section:  # what should be a section and is a text may be a secret in the wrong place
            kept.pop(section, None)
    unknown = [key for key in kept if key not in Setup.__struct_fields__]
    for key in unknown:  # a mistyped `passwort` is a secret too
        del kept[key]
    for section, kind in _SECTIONS.items():
        if isinstance(kept.get(section), dict):
            kept[section] = {key: value for key, value in kept[section].items() if key in kind.__struct_fields__}
    return yaml.safe_dump(kept, sort_keys=False, allow_unicode=True) if kept else ""


def _checked(content: dict[Any, Any], where: str) -> tuple[Setup, tuple[str, ...]]:
    right: dict[str, Any] = {}
    problems: list[str] = []
    for key, value in content.items():
        if key not in Setup.__struct_fields__:
            problems.append(f"{where}: there is no key {_shown(key)}{_nearest(str(key), Setup.__struct_fields__)}.")
        elif value is not None:
            try:
                right[key] = getattr(msgspec.convert({key: value}, Setup), key)
            except msgspec.ValidationError as error:
                problems.append(_explained(str(error), key, where))
    wifi = right.get("wifi")
    if wifi and wifi.password and not _usable(wifi.password):
        problems.append(f"{where}: `wifi.password` has {len(wifi.password.encode())} bytes; it must have 8 to 63.")
        del right["wifi"]
    return Setup(**right), tuple(problems)


def _usable(password: str) -> bool:
    """8 to 63 bytes, or a key of 64 hexadecimal digits (IEEE 802.11, annex J)."""
    length = len(password.encode())
    return 8 <= length <= 63 or (length == 64 and all(digit in "0123456789abcdefABCDEF" for digit in password))


def _explained(said: str, key: str, where: str) -> str:
    """The message for a person. The value stays out of it: it may be a secret."""
    path = said.partition(" - at `$")[2].rstrip("`").lstrip(".") or key
    kind = _SECTIONS.get(key, Setup)
    if "unknown field `" in said:
        unknown = said.split("`")[1]
        return f"{where}: there is no key `{key}.{unknown}`{_nearest(unknown, kind.__struct_fields__)}. `{key}` wasn't applied."
    if "missing required field `" in said:
        return f"{where}: `{key}` lacks the key `{said.split('`')[1]}`. It wasn't applied."
    right = _descriptions(kind).get(path.rpartition(".")[2].partition("[")[0]) or _RIGHT.get(key, "something else")
    return f"{where}: `{path}` isn't right; it must be {right}. It wasn't applied."


def _descriptions(kind: type[Part]) -> dict[str, str]:
    info = inspect.type_info(kind)
    fields = getattr(info, "fields", ())
    return {
        field.name: (getattr(field.type, "extra_json_schema", None) or {}).get("description", "") for field in fields
    }


def _nearest(key: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(key, known, n=1)
    return f"; did you mean `{near[0]}`?" if near else f"; there are {', '.join(known)}"


def _table(content: dict[str, Any], key: str) -> dict[str, Any]:
    value = content.get(key)
    return value if isinstance(value, dict) else {}


def _shown(key: object) -> str:
    text = str(key)
    return f"`{text[:40]}`"
