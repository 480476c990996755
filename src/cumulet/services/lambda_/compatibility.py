"""Processor architectures and runtimes as lists of what something is made for: two enumerations that AWS checks together."""

from collections.abc import Sequence

from cumulet.kernel.errors import AwsError
from cumulet.services.lambda_.runtimes import KNOWN, SUPPORTED

ARCHITECTURES = ("x86_64", "arm64")

_ENUMERATION = f"Member must satisfy enum value set: [{', '.join(ARCHITECTURES)}]"
_OF_A_LIST = f"Member must satisfy constraint: [{_ENUMERATION}, Member must not be null]"
_LISTED = (
    "ruby3.5", "ruby2.6", "dotnetcore1.0", "python3.7", "nodejs8.10", "nasa", "ruby2.7", "python2.7-greengrass",
    "dotnetcore2.0", "python3.8", "java21", "dotnet6", "dotnetcore2.1", "python3.9", "java11", "nodejs6.10", "provided",
    "dotnetcore3.1", "dotnet8", "java25", "java17", "nodejs", "nodejs4.3", "java8.al2", "go1.x", "dotnet10",
    "nodejs20.x", "go1.9", "byol", "nodejs10.x", "provided.al2023", "nodejs22.x", "python3.10", "java8", "nodejs12.x",
    "python3.11", "nodejs24.x", "nodejs8.x", "python3.12", "nodejs14.x", "nodejs8.9", "nodejs26.x", "python3.13",
    "python3.14", "nodejs16.x", "python3.15", "provided.al2", "nodejs4.3-edge", "nodejs18.x", "ruby3.2", "python3.4",
    "ruby3.3", "ruby3.4", "ruby2.5", "python3.6", "python2.7",
)  # fmt: skip
"""What AWS's message lists for a filter: all runtimes that there ever were, in its order."""
_EVERY = frozenset((*KNOWN, *_LISTED))


def check_architectures(chosen: Sequence[str] | None) -> None:
    """Of a function. Raises ValidationException."""
    _refuse(_problem("architectures", chosen, ARCHITECTURES, _OF_A_LIST))


def check_compatible(runtimes: Sequence[str] | None, architectures: Sequence[str] | None) -> None:
    """Of a layer. Raises ValidationException; runtimes that functions may not have any more will do."""
    known = f"Member must satisfy enum value set: [{', '.join(SUPPORTED)}]"
    _refuse(
        _problem("compatibleRuntimes", runtimes, _EVERY, known),
        _problem("compatibleArchitectures", architectures, ARCHITECTURES, _OF_A_LIST),
    )


def check_filter(runtime: str | None, architecture: str | None) -> None:
    """Of a list of layers. Raises ValidationException."""
    problems = []
    if runtime is not None and runtime not in _EVERY:
        problems.append(
            _text("compatibleRuntime", runtime, f"Member must satisfy enum value set: [{', '.join(_LISTED)}]")
        )
    if architecture is not None and architecture not in ARCHITECTURES:
        problems.append(_text("compatibleArchitecture", architecture, _ENUMERATION))
    _refuse(*problems)


def _problem(member: str, chosen: Sequence[str] | None, known: Sequence[str] | frozenset[str], text: str) -> str:
    if all(value in known for value in chosen or ()):
        return ""
    return _text(member, f"[{', '.join(chosen or ())}]", text)


def _text(member: str, value: str, text: str) -> str:
    return f"Value '{value}' at '{member}' failed to satisfy constraint: {text}"


def _refuse(*problems: str) -> None:
    found = [problem for problem in problems if problem]
    if found:
        count = f"{len(found)} validation error{'s' if len(found) > 1 else ''}"
        raise AwsError(f"{count} detected: {'; '.join(found)}", code="ValidationException")
