"""Where is the simulation of a robot that belongs to a fleet? Its file in the fleet's bucket, checked against its name.

Needs the extra `gym_raas[s3]`. Credentials, region and endpoint come from where boto3 looks for them (AWS_ENDPOINT_URL_S3 for a
store other than AWS); without credentials the bucket is asked as anybody may.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any, Final

from gym_raas import parameters
from gym_raas.parameters import Robot, RobotFileError

SCHEME: Final = "s3://"
_URL: Final = re.compile(
    r"s3://([a-z0-9][a-z0-9.-]{1,62})/(f/[a-z0-9-]{1,40}/pi/[a-z0-9-]{1,40})/?(robot-[0-9a-f]{64}\.yaml)?"
)
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_MAX_HEARTBEAT_BYTES: Final = 256 << 10


def load_robot(url: str) -> Robot:
    """The robot at `s3://bucket/f/<fleet>/pi/<member>` (or its very file). Raises RobotFileError with what to do."""
    found = _URL.fullmatch(url)
    if found is None:
        raise RobotFileError(f"{url}: a fleet's robot is called s3://BUCKET/f/FLEET/pi/MEMBER")
    bucket, folder, name = found.groups()
    objects = _Objects(bucket, url)
    name = name or f"robot-{_current(objects, folder, url)}.yaml"
    raw = objects.read(f"{folder}/{name}", parameters.MAX_FILE_BYTES + 1)
    if hashlib.sha256(raw).hexdigest() != name[6:70]:
        raise RobotFileError(f"{url}: {name} was changed after it was published, so it isn't used")
    return parameters.parse_robot(raw, f"{SCHEME}{bucket}/{folder}/{name}")


def _current(objects: _Objects, folder: str, url: str) -> str:
    """SHA-256 of the file that the robot has now, by its appliance's word."""
    heartbeat = objects.read(f"{folder}/hb", _MAX_HEARTBEAT_BYTES)
    try:
        told = json.loads(heartbeat)["content"]["about"]["robot"]
    except (ValueError, KeyError, TypeError) as error:
        raise RobotFileError(f"{url}: its appliance doesn't say which robot it has; is it running?") from error
    if not isinstance(told, str) or _SHA256.fullmatch(told) is None:
        raise RobotFileError(f"{url}: its appliance doesn't say which robot it has")
    return told


class _Objects:
    """Objects of a bucket."""

    def __init__(self, bucket: str, url: str) -> None:
        try:
            import boto3  # noqa: PLC0415 - an extra that may be missing
            import botocore  # noqa: PLC0415 - comes with it, and so do its parts
        except ImportError as error:
            raise RobotFileError(f"{url}: a robot in a bucket needs boto3: pip install boto3") from error
        session = boto3.Session()
        signature = {} if session.get_credentials() else {"signature_version": botocore.UNSIGNED}
        config = botocore.config.Config(
            connect_timeout=10, read_timeout=20, s3={"addressing_style": "path"}, **signature
        )
        self._client: Any = session.client("s3", config=config, region_name=session.region_name or "us-east-1")
        self._bucket, self._url, self._errors = bucket, url, botocore.exceptions

    def read(self, key: str, limit_bytes: int) -> bytes:
        """The first bytes of an object."""
        try:
            found = self._client.get_object(Bucket=self._bucket, Key=key)
            return bytes(found["Body"].read(limit_bytes))
        except self._errors.ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", "?"))
            what = "there is no such robot" if code in {"NoSuchKey", "404"} else f"the store says {code}"
            raise RobotFileError(
                f"{self._url}: {what}. Check name, credentials and endpoint (AWS_ENDPOINT_URL_S3)."
            ) from error
        except self._errors.BotoCoreError as error:
            raise RobotFileError(f"{self._url}: the store doesn't answer ({error}).") from error
