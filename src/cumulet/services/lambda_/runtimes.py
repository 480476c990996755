"""The runtime identifiers that AWS takes. Whether this node has one is compute's to say, when the function is made ready."""

from cumulet.services.lambda_.errors import invalid

_SUPPORTED = (
    "nodejs20.x",
    "python3.14",
    "provided.al2023",
    "python3.12",
    "python3.13",
    "nodejs24.x",
    "nodejs22.x",
    "java25",
    "python3.10",
    "python3.11",
    "java21",
    "ruby3.3",
    "ruby3.4",
    "ruby3.2",
    "python3.8",
    "python3.9",
    "java17",
    "nodejs16.x",
    "dotnet10",
    "dotnet8",
    "java11",
    "dotnet6",
    "nodejs18.x",
    "provided.al2",
    "java8.al2",
)
"""In the order of AWS's error message."""
CUSTOM = "custom"
"""Of functions that run on a runtime of the customer's own."""
_NEWER = frozenset({"nodejs26.x", "python3.15", "ruby4.0", "java8.al2023", "java11.al2023", "java17.al2023"})
_BLOCKED = frozenset(
    {
        "nodejs",
        "nodejs4.3",
        "nodejs4.3-edge",
        "nodejs6.10",
        "nodejs8.10",
        "nodejs10.x",
        "nodejs12.x",
        "nodejs14.x",
        "java8",
        "python2.7",
        "python3.6",
        "python3.7",
        "dotnetcore1.0",
        "dotnetcore2.0",
        "dotnetcore2.1",
        "dotnetcore3.1",
        "go1.x",
        "ruby2.5",
        "ruby2.7",
        "provided",
    }
)
_ACCEPTED = frozenset(_SUPPORTED) | _NEWER
SUPPORTED = _SUPPORTED
KNOWN = _ACCEPTED | _BLOCKED


def check_runtime(runtime: str) -> None:
    """Raises InvalidParameterValueException for what AWS does not know, or no longer takes."""
    if runtime in _ACCEPTED:
        return
    if runtime in _BLOCKED:
        raise invalid(
            f"The runtime parameter of {runtime} is no longer supported for creating or updating AWS Lambda functions. "
            "We recommend you use a supported runtime while creating or updating functions."
        )
    raise invalid(
        f"Value {runtime} at 'runtime' failed to satisfy constraint: "
        f"Member must satisfy enum value set: [{', '.join(_SUPPORTED)}] or be a valid ARN"
    )
