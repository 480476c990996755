"""Errors of web functions."""

from __future__ import annotations

from cumulet.api import lambda_web as api


def invalid(message: str) -> api.ValidationException:
    return api.ValidationException(message)


def conflict(message: str, kind: str, id: str) -> api.ConflictException:
    return api.ConflictException(message, fields={"resourceType": kind, "resourceId": id})


def missing(kind: str, id: str) -> api.ResourceNotFoundException:
    message = f"The {kind} {id} does not exist."
    return api.ResourceNotFoundException(message, fields={"resourceType": kind, "resourceId": id})


def over_quota(message: str, kind: str, id: str) -> api.ServiceQuotaExceededException:
    fields = {"resourceType": kind, "resourceId": id, "serviceCode": "lambda"}
    return api.ServiceQuotaExceededException(message, fields=fields)
