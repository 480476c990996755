"""The service's errors, in words that were recorded where AWS's are known."""

from __future__ import annotations

from cumulet.api import lambda_microvms as api


def invalid(message: str) -> api.ValidationException:
    return api.ValidationException(message)


def conflict(message: str) -> api.ConflictException:
    return api.ConflictException(message)


def no_image(arn: str) -> api.ResourceNotFoundException:
    return api.ResourceNotFoundException(f"MicroVMImage not found for MicroVMImageID: {arn}")


def no_version(arn: str, version: str) -> api.ResourceNotFoundException:
    return api.ResourceNotFoundException(f"MicroVMImage not found for MicroVMImage: {arn}, Version: {version}")


def no_microvm(id: str) -> api.ResourceNotFoundException:
    return api.ResourceNotFoundException(f"MicroVM not found: {id}")


def terminated(id: str) -> api.ValidationException:
    return api.ValidationException(f"The MicroVM {id} has been terminated and its state cannot be changed.")
