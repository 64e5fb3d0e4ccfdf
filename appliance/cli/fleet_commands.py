"""Commands about fleets: many appliances that share one bucket."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
import typer
import yaml

from appliance import config as configuration
from appliance import durable
from appliance.cli import fleet_simulate, fleet_view, job_commands, view
from appliance.cli.context import Context, reported
from appliance.config import FederationSection
from appliance.errors import BadSource, ConfigError
from appliance.federation import charter as charters
from appliance.federation import keyring, membership, policies
from appliance.federation.charter import Charter
from appliance.federation.keyring import Missing
from appliance.federation.keys import Keys
from appliance.federation.membership import NotYet
from appliance.federation.probe import probe
from appliance.federation.requests import Get
from appliance.federation.s3_store import Bucket, S3Store
from appliance.federation.signing import Ed25519Signer

fleet = typer.Typer(no_args_is_help=True, help="Many appliances that share one bucket, without a server.")
_OPERATOR = "operator"
_KEY = Path("fleet.key")

BucketName = Annotated[str, typer.Option("--bucket", help="The fleet's bucket; default: the one in raas.yaml")]
Endpoint = Annotated[str, typer.Option("--endpoint", help="The S3 server's URL; leave it out for AWS")]
Region = Annotated[str, typer.Option("--region", help="The bucket's region")]
Name = Annotated[str, typer.Option("--fleet", help="The fleet's name")]
AccessKey = Annotated[
    str,
    typer.Option("--access-key", envvar="AWS_ACCESS_KEY_ID", help="The bucket's key; default: the appliance's files"),
]
SecretKey = Annotated[str, typer.Option("--secret-key", envvar="AWS_SECRET_ACCESS_KEY", help="and its secret")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="raas.yaml; default: the one in the data folder")]
KeyFile = Annotated[Path, typer.Option("--key", help="The operator's private key: keep it, and keep it to yourself")]
Who = Annotated[
    str, typer.Argument(metavar="MEMBER", help="The appliance's name in the fleet; `raas fleet members` lists them")
]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    fleet.command()(fleet_simulate.simulate)
    app.add_typer(fleet, name="fleet")


@dataclass(frozen=True)
class _Reach:
    """A bucket that commands speak to."""

    section: FederationSection
    where: Bucket
    config_file: Path

    @property
    def keys(self) -> Keys:
        return Keys(self.section.fleet)

    def store(self) -> S3Store:
        return S3Store(self.where)


def _reach(
    shared: Context, config: Path | None, bucket: str, endpoint: str, region: str, name: str, access: str, secret: str
) -> _Reach:
    """What is given on the command line, the rest from raas.yaml. Raises ConfigError, Missing."""
    path = config or shared.paths.config
    found = configuration.load(path).federation
    given = {"bucket": bucket, "endpoint": endpoint, "region": region, "fleet": name}
    wished = msgspec.to_builtins(found) | {key: value for key, value in given.items() if value}
    section = configuration.parse(yaml.safe_dump({"federation": wished}), "the command line").federation
    if not section.bucket:
        raise ConfigError(
            "Which bucket? Give --bucket (and --endpoint, unless it is AWS), or set federation in raas.yaml."
        )
    where = Bucket(section.bucket, section.endpoint, section.region, access, secret)
    if not (access and secret):
        where = keyring.bucket(section, os.environ)
    return _Reach(section, where, path)


@fleet.command()
def create(
    context: typer.Context,
    bucket: BucketName = "", endpoint: Endpoint = "", region: Region = "", name: Name = "", config: ConfigFile = None,
    access_key: AccessKey = "", secret_key: SecretKey = "", key: KeyFile = _KEY,
    lease_s: Annotated[
        float, typer.Option("--lease", min=10.0, max=86400.0, help="Lease of a claimed job, s; twice the longest job and more")
    ] = 900.0,
) -> None:  # fmt: skip
    """Make a fleet in a bucket: its key, and the charter that members believe."""
    shared: Context = context.obj
    with reported():
        reach = _reach(shared, config, bucket, endpoint, region, name, access_key, secret_key)
        store = reach.store()
        probe(store.perform, reach.keys, _OPERATOR, time.time())
        if membership.read(store.perform, reach.keys.charter) is not None:
            raise NotYet(f"There is a fleet '{reach.section.fleet}' in this bucket already. Choose another --fleet.")
        operator = keyring.new_operator(key)
        charter = Charter(reach.section.fleet, operator.public, lease_s)
        membership.write(store.perform, reach.keys.charter, charters.seal_charter(operator, charter), create=True)
        mark = charters.fingerprint(operator.public)
        shared.show(
            {"fleet": charter.fleet, "fingerprint": mark, "key": str(key)},
            fleet_view.done(
                f"fleet '{charter.fleet}', key {mark}",
                f"{key} admits and expels members: keep a copy in a safe place.",
                f"Next, on each appliance: raas fleet join --bucket {reach.section.bucket} --fleet {charter.fleet}",
            ),
        )  # fmt: skip


@fleet.command()
def join(
    context: typer.Context,
    bucket: BucketName = "", endpoint: Endpoint = "", region: Region = "", name: Name = "", config: ConfigFile = None,
    access_key: AccessKey = "", secret_key: SecretKey = "",
    member: Annotated[str, typer.Option(help="This appliance's name in the fleet; default: made from its name")] = "",
    key: Annotated[Path | None, typer.Option(help="The operator's key, if it is at hand: admits at once")] = None,
) -> None:  # fmt: skip
    """Make this machine's appliance a member: checks bucket, rights, clock and conditions, and asks the operator."""
    shared: Context = context.obj
    with reported():
        reach = _reach(shared, config, bucket, endpoint, region, name, access_key, secret_key)
        store, folder = reach.store(), shared.paths.federation
        settings = configuration.load(reach.config_file)
        own = keyring.own(folder, member or settings.federation.member, settings.name)
        charter = membership.believe(store.perform, reach.keys, folder, settings.federation.fingerprint)
        probe(store.perform, reach.keys, own.who, time.time())
        lines = [f"bucket, rights, clock and conditions are right; this appliance is '{own.who}'"]
        _write_settings(reach, settings.federation, bool(access_key))
        try:
            membership.enter(store.perform, reach.keys, charter, own, settings.name)
        except NotYet as wait:
            if key is None:
                lines.append(str(wait))
            else:
                now_s = store.perform(Get(reach.keys.charter)).date_s
                membership.admit(store.perform, reach.keys, keyring.operator(key), own.who, now_s)
                lines.append("admitted")
        lines.append("Start it anew (`raas up`), or: systemctl restart raas-federation")
        shared.show({"who": own.who, "fleet": charter.fleet, "said": lines}, fleet_view.done(*lines))


@fleet.command()
def admit(
    context: typer.Context, who: Who,
    bucket: BucketName = "", endpoint: Endpoint = "", region: Region = "", name: Name = "", config: ConfigFile = None,
    access_key: AccessKey = "", secret_key: SecretKey = "", key: KeyFile = _KEY,
    compacts: Annotated[
        bool, typer.Option("--compactor", help="It also keeps the history small and writes the page in the bucket")
    ] = False,
) -> None:  # fmt: skip
    """Operator: make an appliance that has asked a member. Compare its fingerprint with its owner's first."""
    shared: Context = context.obj
    with reported():
        reach = _reach(shared, config, bucket, endpoint, region, name, access_key, secret_key)
        store, operator, charter, now_s = _office(reach, key)
        made = membership.admit(store.perform, reach.keys, operator, who, now_s, compacts=compacts)
        mark = charters.fingerprint(made.public)
        shared.show({"who": who, "fingerprint": mark}, view.done(f"'{who}' ({mark}) is a member of '{charter.fleet}'"))


@fleet.command()
def expel(
    context: typer.Context, who: Who,
    bucket: BucketName = "", endpoint: Endpoint = "", region: Region = "", name: Name = "", config: ConfigFile = None,
    access_key: AccessKey = "", secret_key: SecretKey = "", key: KeyFile = _KEY,
) -> None:  # fmt: skip
    """Operator: throw a member out. Nothing that it writes from now on counts; take its key of the bucket away, too."""
    shared: Context = context.obj
    with reported():
        reach = _reach(shared, config, bucket, endpoint, region, name, access_key, secret_key)
        store, operator, charter, now_s = _office(reach, key)
        membership.expel(store.perform, reach.keys, operator, charter, who, now_s)
        text = f"'{who}' is out; the others learn of it within {charter.timing.revoked_s / 60:.0f} minutes"
        shared.show({"who": who}, view.done(text))


@fleet.command()
def members(
    context: typer.Context,
    bucket: BucketName = "", endpoint: Endpoint = "", region: Region = "", name: Name = "", config: ConfigFile = None,
    access_key: AccessKey = "", secret_key: SecretKey = "",
) -> None:  # fmt: skip
    """List who is in the fleet, and who wants in."""
    shared: Context = context.obj
    with reported():
        reach = _reach(shared, config, bucket, endpoint, region, name, access_key, secret_key)
        store = reach.store()
        charter = _charter(store, reach, None)
        lines = membership.roll(store.perform, reach.keys, charter)
        shared.show(lines, fleet_view.roll(lines, charter.lease_s))


@fleet.command()
def status(context: typer.Context) -> None:
    """Show what the appliance says of its fleet: itself, the robots, the queue, what was refused."""
    shared: Context = context.obj
    with reported():
        found = shared.client.fleet()
        shared.show(found, fleet_view.status(found))


@fleet.command()
def submit(
    context: typer.Context,
    source: Annotated[str, typer.Argument(help="A folder, a zip or tar file, or a git URL (https://...)")],
    ref: Annotated[str, typer.Option(help="Branch, tag or commit of a git repository")] = "",
    name: Annotated[str, typer.Option(help="What to call the job")] = "",
    tags: Annotated[
        list[str] | None,
        typer.Option("--tag", help="What the robot must have; 'pigpiod' means a real one. Repeat it for more"),
    ] = None,
    counts_per_turn: Annotated[int, typer.Option(help="Its encoder's counts per turn; 0: any")] = 0,
    urgent: Annotated[bool, typer.Option("--urgent", help="Before jobs of the last two minutes")] = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Show it live until it has ended")] = False,
) -> None:
    """Queue a program for whichever robot of the fleet is idle and fits."""
    shared: Context = context.obj
    wish = {"tags": " ".join(tags or ()), "counts_per_turn": str(counts_per_turn)}
    wish |= {key: "1" for key, wished in (("urgent", urgent), ("live", follow)) if wished}
    with reported():
        job_commands.show_queued(shared, job_commands.to_fleet(shared, source, ref, name, wish), follow=follow)


@fleet.command()
def policy(
    context: typer.Context, who: Who,
    bucket: BucketName = "", name: Name = "", config: ConfigFile = None,
    kind: Annotated[str, typer.Option("--for", help="aws or seaweedfs")] = "aws",
    compacts: Annotated[bool, typer.Option("--compactor", help="With the rights of a compactor")] = False,
) -> None:  # fmt: skip
    """Print the least rights that a member's key of the bucket needs, to be pasted where the store keeps them."""
    shared: Context = context.obj
    with reported():
        found = configuration.load(config or shared.paths.config).federation
        place, keys = bucket or found.bucket, Keys(name or found.fleet)
        if not place:
            raise ConfigError("Which bucket? Give --bucket.")
        if kind not in {"aws", "seaweedfs"}:
            raise BadSource(f"There are policies for aws and seaweedfs, not for '{kind}'.")
        made = policies.aws if kind == "aws" else policies.seaweedfs
        shared.show(made(place, keys, who, compacts=compacts), "", json=True)


def _office(reach: _Reach, key: Path) -> tuple[S3Store, Ed25519Signer, Charter, float]:
    """What the operator decides with: bucket, key, charter, and the server's time. Raises Missing, NotYet."""
    store, operator = reach.store(), keyring.operator(key)
    charter = _charter(store, reach, operator.public)
    return store, operator, charter, store.perform(Get(reach.keys.charter)).date_s


def _charter(store: S3Store, reach: _Reach, public: bytes | None) -> Charter:
    body = membership.read(store.perform, reach.keys.charter)
    if body is None:
        raise NotYet(f"There is no fleet '{reach.section.fleet}' in this bucket. Check --fleet.")
    charter = charters.open_charter(body, reach.section.fleet)
    if public is not None and charter.public != public:
        raise Missing(f"This key isn't that of the fleet '{charter.fleet}' ({charters.fingerprint(charter.public)}).")
    return charter


def _write_settings(reach: _Reach, before: FederationSection, with_keys: bool) -> None:
    """Put what was given into raas.yaml and the credentials beside it; a section that stands there is left as it is."""
    section, path = reach.section, reach.config_file
    folder = path.parent / "credentials"
    if with_keys:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        keyring.write_credentials(folder, reach.where)
    if before.bucket:
        if (before.bucket, before.endpoint, before.fleet) != (section.bucket, section.endpoint, section.fleet):
            raise ConfigError(f"{path} names another fleet or bucket. Correct its section 'federation' by hand.")
        return
    wanted = {"bucket": section.bucket, "endpoint": section.endpoint, "region": section.region, "fleet": section.fleet}
    if folder != keyring.USUAL and with_keys:
        wanted["credentials"] = str(folder.resolve())
    text = path.read_text() if path.exists() else ""
    addition = yaml.safe_dump({"federation": {key: value for key, value in wanted.items() if value}}, sort_keys=False)
    configuration.parse(f"{text.rstrip()}\n{addition}".lstrip(), str(path))
    durable.write(path, f"{text.rstrip()}\n{addition}".lstrip().encode())
