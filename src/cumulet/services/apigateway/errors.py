"""The errors of API Gateway, as AWS words them."""

from __future__ import annotations

from cumulet.api import apigateway as api


def not_found(message: str) -> api.NotFoundException:
    return api.NotFoundException(message)


def bad_request(message: str) -> api.BadRequestException:
    return api.BadRequestException(message)


def conflict(message: str) -> api.ConflictException:
    return api.ConflictException(message)


def limit_exceeded(message: str) -> api.LimitExceededException:
    return api.LimitExceededException(message)
