"""How is a request made to S3, or to a server that speaks like it? boto3, without its retries: planning retries itself.

A retry inside the SDK would turn one's own success into "it exists" without saying so. Whatever may have happened is
`LOST`. Files larger than a part go up in parts; an interrupted upload goes on with the parts that the store has.
"""

from __future__ import annotations

import email.utils
import functools
import hashlib
import io
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from appliance.federation.requests import Fetch, Get, GetMany, List, Put, Reply, Request, Row, Send, Status, Wait

PART_BYTES: Final = 8 << 20
_CHUNK_BYTES: Final = 1 << 20
_AT_ONCE: Final = 8
_FILE_TIMEOUT_S: Final = 300.0
_STATUS: Final = {
    304: Status.UNCHANGED,
    401: Status.DENIED,
    403: Status.DENIED,
    404: Status.MISSING,
    409: Status.CONFLICT,
}


@dataclass(frozen=True)
class Bucket:
    """Where a fleet's objects are. endpoint: empty for AWS."""

    bucket: str
    endpoint: str = ""
    region: str = "us-east-1"
    access_key: str = ""
    secret_key: str = ""
    timeout_s: float = 20.0


class S3Store:
    """Performs requests. Safe for several threads. `clock` is the monotonic one that replies carry."""

    def __init__(self, where: Bucket, clock: Callable[[], float] = time.monotonic) -> None:
        self._where, self._bucket, self._clock = where, where.bucket, clock
        self._client = _client(where, where.timeout_s)
        self._pool = ThreadPoolExecutor(_AT_ONCE, "s3")
        self._closed = threading.Event()

    @functools.cached_property
    def _files(self) -> Any:
        """A client for files: on a slow line an answer comes long after the last byte has left the program."""
        return _client(self._where, max(self._where.timeout_s, _FILE_TIMEOUT_S))

    def perform(self, request: Request) -> Reply:
        """The answer; never raises for anything that the network or the server does."""
        try:
            reply = self._perform(request)
        except ClientError as error:
            reply = _refusal(error)
            if isinstance(request, Put) and reply.status is Status.MISSING:
                reply.status = Status.TAKEN  # AWS's answer to If-Match where there is no object
        except BotoCoreError:
            reply = Reply(Status.LOST, 0.0)
        reply.now_s = self._clock()
        return reply

    def close(self) -> None:
        """Let go of all connections; a file that travels in another thread is given up at its next part."""
        self._closed.set()
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._client.close()

    def _perform(self, request: Request) -> Reply:
        match request:
            case Get():
                return self._get(request)
            case GetMany(keys=keys):
                replies = list(self._pool.map(self.perform, [Get(key) for key in keys]))
                worst = Status.LOST if any(reply.status is Status.LOST for reply in replies) else Status.OK
                return Reply(worst, 0.0, max((reply.date_s for reply in replies), default=0.0), replies=replies)
            case Put():
                return self._put(request)
            case List():
                return self._list(request)
            case Send():
                return self._send(request)
            case Fetch():
                return self._fetch(request)
            case Wait():
                return Reply(Status.OK, 0.0)

    def _get(self, request: Get) -> Reply:
        condition = {"IfNoneMatch": f'"{request.unless_etag}"'} if request.unless_etag else {}
        found = self._client.get_object(Bucket=self._bucket, Key=request.key, **condition)
        body = found["Body"].read()
        return Reply(Status.OK, 0.0, _date_s(found), body, found["ETag"].strip('"'), found["LastModified"].timestamp())

    def _put(self, request: Put) -> Reply:
        condition = {"IfNoneMatch": "*"} if request.create else {}
        if request.if_etag:
            condition["IfMatch"] = f'"{request.if_etag}"'
        if request.content_type:
            condition["ContentType"] = request.content_type
        done = self._client.put_object(Bucket=self._bucket, Key=request.key, Body=request.body, **condition)
        return Reply(Status.OK, 0.0, _date_s(done), etag=done["ETag"].strip('"'))

    def _list(self, request: List) -> Reply:
        parted = {"Delimiter": "/"} if request.folders else {}
        found = self._client.list_objects_v2(
            Bucket=self._bucket, Prefix=request.prefix, StartAfter=request.after, MaxKeys=request.limit, **parted
        )
        folders = [Row(item["Prefix"], "", 0.0, 0) for item in found.get("CommonPrefixes", ())]
        rows = (
            folders
            if request.folders
            else [
                Row(item["Key"], item["ETag"].strip('"'), item["LastModified"].timestamp(), item["Size"])
                for item in found.get("Contents", ())
            ]
        )
        return Reply(Status.OK, 0.0, _date_s(found), rows=rows, truncated=bool(found.get("IsTruncated")))

    # --- files --------------------------------------------------------------------------------------------------

    def _send(self, request: Send) -> Reply:
        """Content-addressed, so writing it twice does no harm, and what stands there need not be sent."""
        try:
            there = self._files.head_object(Bucket=self._bucket, Key=request.key)
            if there["ContentLength"] == request.size_bytes:
                return Reply(Status.OK, 0.0, _date_s(there))
        except ClientError as error:
            if _refusal(error).status not in {Status.MISSING, Status.DENIED}:
                raise
        if request.size_bytes <= PART_BYTES:
            # As a file, here and below: bytes would have to be through within one timeout, however many they are.
            with Path(request.file).open("rb") as file:
                done = self._files.put_object(Bucket=self._bucket, Key=request.key, Body=file)
            return Reply(Status.OK, 0.0, _date_s(done))
        return self._send_parts(request)

    def _send_parts(self, request: Send) -> Reply:
        at: dict[str, Any] = {"Bucket": self._bucket, "Key": request.key}
        at["UploadId"] = self._unfinished(request.key) or self._files.create_multipart_upload(**at)["UploadId"]
        there = {part["PartNumber"]: part for part in self._files.list_parts(**at).get("Parts", ())}
        parts = []
        with Path(request.file).open("rb") as file:
            number = 0
            while body := file.read(PART_BYTES):
                number += 1
                part = there.get(number)
                etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
                if part is None or part["ETag"].strip('"') != etag:
                    if self._closed.is_set():
                        return Reply(Status.LOST, 0.0)
                    part = self._files.upload_part(**at, PartNumber=number, Body=io.BytesIO(body))
                parts.append({"PartNumber": number, "ETag": part["ETag"]})
        done = self._files.complete_multipart_upload(**at, MultipartUpload={"Parts": parts})
        return Reply(Status.OK, 0.0, _date_s(done))

    def _unfinished(self, key: str) -> str:
        found = self._files.list_multipart_uploads(Bucket=self._bucket, Prefix=key).get("Uploads", ())
        return next((str(upload["UploadId"]) for upload in found if upload["Key"] == key), "")

    def _fetch(self, request: Fetch) -> Reply:
        found = self._files.get_object(Bucket=self._bucket, Key=request.key)
        target = Path(request.file)
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(target.name + ".partial")
        try:
            if not self._is_right(found["Body"], partial, request):
                return Reply(Status.LOST if self._closed.is_set() else Status.MISSING, 0.0, _date_s(found))
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)  # above all where the disk is full
        return Reply(Status.OK, 0.0, _date_s(found))

    def _is_right(self, body: Any, partial: Path, request: Fetch) -> bool:
        """Write a body to a file; whether it has the size and hash that it should have."""
        digest, left = hashlib.sha256(), request.size_bytes
        with partial.open("wb") as file:
            while left >= 0 and not self._closed.is_set() and (chunk := body.read(_CHUNK_BYTES)):
                digest.update(chunk)
                file.write(chunk)
                left -= len(chunk)
        return left == 0 and digest.hexdigest() == request.sha256


def _client(where: Bucket, timeout_s: float) -> Any:
    options = Config(
        connect_timeout=where.timeout_s,
        read_timeout=timeout_s,
        retries={"total_max_attempts": 1},
        max_pool_connections=_AT_ONCE * 2,
        s3={"addressing_style": "path" if where.endpoint else "auto"},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    keys = {"aws_access_key_id": where.access_key, "aws_secret_access_key": where.secret_key}
    return boto3.session.Session().client(
        "s3", endpoint_url=where.endpoint or None, region_name=where.region, config=options,
        **(keys if where.access_key else {}),
    )  # fmt: skip


def _refusal(error: ClientError) -> Reply:
    code = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    status = Status.TAKEN if code == 412 else _STATUS.get(code, Status.LOST)
    return Reply(status, 0.0, _date_s(error.response))


def _date_s(response: Any) -> float:
    """The server's clock, from the answer's Date header; 0 if there is none."""
    text = response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
    try:
        return email.utils.parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError):
        return 0.0
