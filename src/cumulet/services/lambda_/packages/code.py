"""Where a function's code comes from, and how it becomes a package."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

from cumulet.api import lambda_ as api
from cumulet.delivery.objects import TooLarge, read_object
from cumulet.kernel.call import Call
from cumulet.kernel.errors import AwsError
from cumulet.services.lambda_.errors import invalid, package_too_large
from cumulet.services.lambda_.packages.packages import Package
from cumulet.services.lambda_.state import Lambda

Source = api.FunctionCode | api.UpdateFunctionCodeRequest | api.LayerVersionContentInput


class Staged(NamedTuple):
    """A package, and what a version keeps of where it came from."""

    package: Package
    reference: api.ResolvedS3Object | None
    source_key: str | None
    image_uri: str = ""


async def fetch(lambda_: Lambda, call: Call, source: Source) -> tuple[bytes, api.ResolvedS3Object | None]:
    """The zip that a request brings or names, and the object it is when it is not to be copied. Raises AWS's errors."""
    if source.zip_file is not None:
        if source.s3_bucket or source.s3_key or source.s3_object_storage_mode == "REFERENCE":
            raise invalid("Please do not provide other FunctionCode parameters when providing a ZipFile.")
        return source.zip_file, None
    if not source.s3_bucket or not source.s3_key:
        raise invalid("Please provide a source for function code.")
    data, version = await _from_s3(lambda_, call, source)
    if source.s3_object_storage_mode != "REFERENCE":
        return data, None
    return data, api.ResolvedS3Object(s3_bucket=source.s3_bucket, s3_key=source.s3_key, s3_object_version=version)


async def _from_s3(lambda_: Lambda, call: Call, source: Source) -> tuple[bytes, str | None]:
    limit = lambda_.limits.code_size_unzipped
    bucket, key, version = source.s3_bucket or "", source.s3_key or "", source.s3_object_version
    try:
        return await read_object(lambda_.calls, call, bucket, key, version=version, limit=limit)
    except AwsError as error:
        raise invalid(
            f"Error occurred while GetObject. S3 Error Code: {error.code}. S3 Error Message: {error.message}"
        ) from error
    except TooLarge:
        raise package_too_large(limit) from None


@asynccontextmanager
async def staged(
    lambda_: Lambda, call: Call, source: Source, architectures: Sequence[str] | None = None
) -> AsyncIterator[Staged]:
    """The package that a request brings: checked, unpacked and durable; or the image, for `architectures`, that it names.

    What of it is not used at the end is removed. Raises AWS's errors; the smaller limit holds for a zip that comes in the
    request.
    """
    if uri := getattr(source, "image_uri", None):
        yield Staged(await lambda_.images.find(call, uri, architectures or ()), None, None, uri)
        return
    data, reference = await fetch(lambda_, call, source)
    if source.zip_file is not None and len(data) > lambda_.limits.code_size_zipped:
        raise package_too_large(lambda_.limits.code_size_zipped)
    _, used = await lambda_.store.usage(call.account, call.region)
    if reference is None and used + len(data) > lambda_.limits.total_code_size:
        raise api.CodeStorageExceededException("Code storage limit exceeded.")
    id, unpacked = await lambda_.packages.check(data)
    try:
        package = await lambda_.packages.keep(id, data, unpacked)
    except BaseException:
        lambda_.retire((), [Package(id=id, blob="", size=len(data))])  # what it was unpacked to
        raise
    try:
        yield Staged(package, reference, getattr(source, "source_kms_key_arn", None) or None)
    finally:
        lambda_.retire((), [package])
