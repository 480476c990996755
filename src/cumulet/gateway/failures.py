"""What is answered and said when a handler fails, which shapes its own errors otherwise."""

import logging

from cumulet.kernel.errors import AwsError
from cumulet.wire.http import HttpRequest, HttpResponse

log = logging.getLogger(__name__)

_TEXT = {"Content-Type": "text/plain; charset=utf-8"}


def tell(request: HttpRequest, error: Exception) -> None:
    """Of an answer that broke off; an AwsError is what its maker has to say, anything else a defect."""
    if isinstance(error, AwsError):
        log.warning("the answer to %s %s broke off: %s", request.method, request.path, error.message)
    else:
        log.error("the answer to %s %s broke off", request.method, request.path, exc_info=error)


def broken(error: BaseException) -> HttpResponse:
    """The answer of last resort."""
    if isinstance(error, AwsError):
        return HttpResponse(error.status, dict(_TEXT), f"{error.code}: {error.message}\n".encode())
    log.error("the handler failed", exc_info=error)
    return HttpResponse(500, dict(_TEXT), b"InternalFailure\n")
