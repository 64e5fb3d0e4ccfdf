"""Which rights does a member's key of the bucket need, and no more? As AWS's IAM and SeaweedFS write them down. Pure.

A member never deletes. On AWS, job logs can only be created, whatever a member tries; SeaweedFS can't force that, and there an
overwritten slot is noticed by the hash in the next one.
"""

from __future__ import annotations

from typing import Any

from appliance.federation.keys import Keys


def aws(bucket: str, keys: Keys, who: str, *, compacts: bool = False) -> dict[str, Any]:
    """A policy document for the IAM user of member `who`."""
    root = f"arn:aws:s3:::{bucket}"

    def names(*parts: str) -> list[str]:
        return [f"{root}/{part}" for part in parts]

    free = [f"{keys.appliance(who)}*", f"{keys.root}a/*", keys.bell]
    if compacts:
        free += [f"{keys.root}idx/*", f"{keys.root}site/*"]
    slots = f"{keys.queue}*"
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "List", "Effect": "Allow", "Action": ["s3:ListBucket", "s3:ListBucketMultipartUploads"],
                "Resource": [root], "Condition": {"StringLike": {"s3:prefix": [f"{keys.root}*"]}},
            },
            {"Sid": "Read", "Effect": "Allow", "Action": ["s3:GetObject"], "Resource": names(f"{keys.root}*")},
            {
                "Sid": "WriteOwn", "Effect": "Allow",
                "Action": ["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
                "Resource": names(*free),
            },
            {
                "Sid": "AppendToLogs", "Effect": "Allow", "Action": ["s3:PutObject"], "Resource": names(slots),
                "Condition": {"Null": {"s3:if-none-match": "false"}},
            },
            {
                "Sid": "NeverOverwriteLogs", "Effect": "Deny", "Action": ["s3:PutObject"], "Resource": names(slots),
                "Condition": {"Null": {"s3:if-none-match": "true"}},
            },
            {
                "Sid": "OnlyTheOperatorAdmits", "Effect": "Deny", "Action": ["s3:PutObject"],
                "Resource": names(keys.member(who), keys.charter, keys.revoked),
            },
        ],
    }  # fmt: skip


def seaweedfs(
    bucket: str, keys: Keys, who: str, access_key: str = "", secret_key: str = "", *, compacts: bool = False
) -> dict[str, Any]:
    """An identity for `s3.json` (`weed server -s3 -s3.config=s3.json`)."""
    # Names without a star at their end it never grants.
    writes = [f"{keys.appliance(who)}*", f"{keys.queue}*", f"{keys.root}a/*", f"{keys.bell}*"]
    if compacts:
        writes += [f"{keys.root}idx/*", f"{keys.root}site/*"]
    actions = [
        f"Read:{bucket}/{keys.root}*",
        f"List:{bucket}/{keys.root}*",
        *(f"Write:{bucket}/{part}" for part in writes),
    ]
    return {"name": who, "credentials": [{"accessKey": access_key, "secretKey": secret_key}], "actions": actions}
