"""An S3 client and a bucket of its own for every test."""

import itertools
import os
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

_names = itertools.count()
_RUN = os.urandom(4).hex()


@pytest.fixture
def s3(client: Callable[..., Any]) -> Any:
    return client("s3")


@pytest.fixture
def name() -> str:
    """A bucket name that is not taken."""
    return f"bucket-{_RUN}-{os.getpid()}-{next(_names)}"


@pytest.fixture
def bucket(s3: Any, name: str) -> str:
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def versioned(s3: Any, bucket: str) -> str:
    """The bucket, with versioning enabled."""
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return bucket


@pytest.fixture
def refused() -> Callable[..., dict[str, Any]]:
    """`refused("NoSuchKey", 404, s3.get_object, Bucket=...)` gives the error's fields, after checking code and status."""

    def call(code: str, status: int, operation: Callable[..., Any], **members: Any) -> dict[str, Any]:
        with pytest.raises(ClientError) as caught:
            operation(**members)
        response = caught.value.response
        assert (response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]) == (code, status)
        return dict(response["Error"])

    return call
