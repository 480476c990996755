"""Functions that decide who may call an API: what they are asked, what they answered, and for how long that counts.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-output.html
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from cumulet.kernel.call import Call, Principal
from cumulet.policy.compiled import CompiledPolicy, Request, compile_policy
from cumulet.policy.document import Grammar, PolicyError
from cumulet.services.apigateway.plane.lambdas import CannotInvoke, Functions

INVOKE = "execute-api:Invoke"
_KEPT = 50_000
_MOST = 32 << 20
_OVERHEAD = 1024
"""Bytes of what is kept of all answers, and of each beside its text, which its policy is some times as large as."""


class Answer(Struct):
    """What an authorizer said, good for every request with the same identity until its time is over.

    `context` values are strings, numbers and booleans, `body` is the answer as it came. `simple` is the decision of an answer without a policy (HTTP APIs).
    """

    principal: str
    policy: CompiledPolicy | None = None
    simple: bool | None = None
    context: dict[str, Any] = {}
    usage_key: str | None = None
    body: str = ""


class Unauthorized(Exception):
    """The function threw `Unauthorized`, or the request does not say who asks: 401."""


class AuthorizerFailed(Exception):
    """The function failed or may not be run: 500. `message` is for the execution log."""


class AuthorizerMisconfigured(AuthorizerFailed):
    """The function answered something that is no answer: 500."""


class Decision(Struct, frozen=True):
    """`explicit`: a statement denies, rather than none allowing."""

    allowed: bool
    explicit: bool = False


async def ask(
    functions: Functions, call: Call, function: str, event: Mapping[str, Any], *, role: str = "", simple: bool = False
) -> Answer:
    """Have the authorizer's function decide. `call.source_arn` is the authorizer's ARN, which the function's policy is asked about.

    `simple`: `{"isAuthorized": ..., "context": ...}` is an answer as well. Raises Unauthorized and AuthorizerFailed.
    """
    try:
        invoked = await functions.invoke(call, function, msgspec.json.encode(event), role=role)
    except CannotInvoke as error:
        raise AuthorizerFailed(_refusal(error)) from error
    if invoked.error is not None:
        if _message(invoked.payload) == "Unauthorized":
            raise Unauthorized
        raise AuthorizerFailed(
            f"Execution failed due to an authorizer error: {invoked.payload[:1000].decode(errors='replace')}"
        )
    return read(invoked.payload, simple=simple)


def read(payload: bytes, *, simple: bool = False) -> Answer:
    """The answer in what a function returned. Raises AuthorizerMisconfigured."""
    try:
        value = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise AuthorizerMisconfigured(
            "Execution failed due to configuration error: Authorizer response is no JSON"
        ) from None
    if not isinstance(value, dict):
        raise AuthorizerMisconfigured("Execution failed due to configuration error: Authorizer response is no object")
    context = _context(value.get("context"))
    if simple and "isAuthorized" in value:
        return Answer("", simple=value["isAuthorized"] is True, context=context, body=payload.decode())
    principal, document = value.get("principalId"), value.get("policyDocument")
    if not isinstance(principal, str | int | float) or isinstance(principal, bool) or not isinstance(document, dict):
        raise AuthorizerMisconfigured(
            "Execution failed due to configuration error: Invalid JSON in response: principalId and policyDocument are needed"
        )
    try:
        policy = compile_policy(msgspec.json.encode(document).decode(), Grammar.IDENTITY)
    except PolicyError as error:
        raise AuthorizerMisconfigured(
            f"Execution failed due to configuration error: Invalid policy document: {error}"
        ) from None
    key = value.get("usageIdentifierKey")
    return Answer(
        str(principal), policy, context=context, usage_key=key if isinstance(key, str) else None, body=payload.decode()
    )


def decide(answer: Answer, resource: str, keys: Callable[[str], tuple[str, ...] | None]) -> Decision:
    """Whether the answer lets the caller invoke `resource` (a method's ARN); `keys` finds condition keys by lower-case names."""
    if answer.policy is None:
        return Decision(answer.simple is True)
    who = Principal("user", answer.principal, answer.principal, "")
    verdict = answer.policy.judge(Request(who, INVOKE, resource, keys))
    if verdict.denied is not None:
        return Decision(False, explicit=True)
    return Decision(verdict.allowed is not None)


class Cache:
    """Answers by API, stage, authorizer and identity; `now` is the clock's, in seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._answers: OrderedDict[Hashable, tuple[float, Answer]] = OrderedDict()
        self._size = 0

    def get(self, key: Hashable) -> Answer | None:
        """What was said, if it still counts."""
        found = self._answers.get(key)
        if found is None:
            return None
        if found[0] <= self._now():
            self._drop(key)
            return None
        return found[1]

    def put(self, key: Hashable, answer: Answer, seconds: float) -> None:
        """Keep an answer for that long; 0 is not at all."""
        if seconds <= 0:
            return
        self._drop(key)
        self._answers[key] = (self._now() + seconds, answer)
        self._size += _size_of(answer)
        while len(self._answers) > _KEPT or self._size > _MOST:
            self._drop(next(iter(self._answers)))

    def forget(self, stage: tuple[str, str]) -> None:
        """Drop what is kept for a stage: FlushStageAuthorizersCache. Keys begin with `(api id, stage name)`."""
        for key in [key for key in self._answers if isinstance(key, tuple) and key[:2] == stage]:
            self._drop(key)

    def _drop(self, key: Hashable) -> None:
        found = self._answers.pop(key, None)
        if found is not None:
            self._size -= _size_of(found[1])


def _size_of(answer: Answer) -> int:
    return _OVERHEAD + 4 * len(answer.body)


def _context(value: object) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict) or any(isinstance(one, dict | list) for one in value.values()):
        raise AuthorizerMisconfigured(
            "Execution failed due to configuration error: Invalid context in response: strings, numbers and booleans only"
        )
    return {name: one for name, one in value.items() if one is not None}


def _message(payload: bytes) -> object:
    try:
        value = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return value.get("errorMessage") if isinstance(value, dict) else None


def _refusal(error: CannotInvoke) -> str:
    if error.refused:
        return "Execution failed due to configuration error: Invalid permissions on Lambda function"
    return f"Execution failed due to configuration error: {error.error.message}"
