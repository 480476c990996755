"""S3's errors that no model declares, and the fields they carry."""

from cumulet.api.s3 import NoSuchBucket, NoSuchKey, NoSuchUpload
from cumulet.kernel.errors import AwsError


def error(status: int, code: str, message: str, **fields: str) -> AwsError:
    """Any error of S3; `fields` go into its XML by their names."""
    return AwsError(message, code=code, status=status, fields=fields)


def no_such_bucket(name: str) -> AwsError:
    return NoSuchBucket("The specified bucket does not exist", status=404, fields={"BucketName": name})


def no_such_key(key: str, headers: dict[str, str] | None = None) -> AwsError:
    return NoSuchKey("The specified key does not exist.", status=404, fields={"Key": key}, headers=headers)


def no_such_upload(upload: str) -> AwsError:
    return NoSuchUpload(
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or "
        "completed.",
        status=404,
        fields={"UploadId": upload},
    )


def no_such_version(key: str, version: str) -> AwsError:
    return error(404, "NoSuchVersion", "The specified version does not exist.", Key=key, VersionId=version)


def invalid_argument(message: str, name: str, value: str | None = None) -> AwsError:
    fields = {"ArgumentName": name}
    if value is not None:
        fields["ArgumentValue"] = value
    return error(400, "InvalidArgument", message, **fields)


def invalid_version(version: str) -> AwsError:
    return invalid_argument("Invalid version id specified", "versionId", version)


def invalid_request(message: str) -> AwsError:
    return error(400, "InvalidRequest", message)


def malformed_xml() -> AwsError:
    return error(
        400,
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published schema",
    )


def marker_refused(method: str, version: str, last_modified: str) -> AwsError:
    """A delete marker was asked for by its version id."""
    problem = error(
        405,
        "MethodNotAllowed",
        "The specified method is not allowed against this resource.",
        Method=method,
        ResourceType="DeleteMarker",
    )
    problem.headers = {
        "x-amz-delete-marker": "true",
        "x-amz-version-id": version,
        "Allow": "DELETE",
        "Last-Modified": last_modified,
    }
    return problem


def precondition_failed(condition: str) -> AwsError:
    return error(
        412,
        "PreconditionFailed",
        "At least one of the pre-conditions you specified did not hold",
        Condition=condition,
    )


def conflict(condition: str, key: str) -> AwsError:
    return error(
        409,
        "ConditionalRequestConflict",
        "The conditional request cannot succeed due to a conflicting operation against this resource.",
        Condition=condition,
        Key=key,
    )


def unsupported_header(header: str, reason: str = "") -> AwsError:
    """S3's own NotImplemented: a condition that AWS does not take on this operation."""
    fields = {"Header": header}
    if reason:
        fields["additionalMessage"] = reason
    return error(501, "NotImplemented", "A header you provided implies functionality that is not implemented", **fields)
