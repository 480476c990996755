"""Lifecycle rules: what they mean for one object."""

from cumulet.services.s3.model import Bucket, Facts, Stored


def expiration_of(bucket: Bucket, row: Stored, facts: Facts) -> str | None:
    """The x-amz-expiration header of an object that a rule will expire."""
    return None
