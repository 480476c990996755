"""The kinds of clients, and what can be chosen of each."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from cumulet.api import apigateway as api
from cumulet.services.apigateway.sdk.shape import Shape

Files = Callable[[Shape, dict[str, str]], dict[str, str]]


class Choice(Struct, frozen=True):
    """A parameter of a kind of client."""

    name: str
    label: str
    description: str
    required: bool = False
    default: str | None = None


class Kind(Struct, frozen=True):
    """A kind of client; `module` generates it. `ours`: AWS does not have it, and it is not listed."""

    id: str
    label: str
    module: str
    choices: tuple[Choice, ...] = ()
    ours: bool = False


_SERVICE = Choice("service.name", "Service Name", "The name of the client's class.", True)
_PREFIX = Choice("classPrefix", "Prefix", "What the names of classes begin with.", True, "API")
_MAVEN = (
    Choice("groupId", "Group ID", "The group of the artifact.", True, "com.example"),
    Choice("artifactId", "Artifact ID", "The name of the artifact.", True, "api-client"),
    Choice("artifactVersion", "Artifact Version", "The version of the artifact.", True, "1.0.0"),
)
KINDS = {
    kind.id: kind
    for kind in (
        Kind(
            "android",
            "Android",
            "android",
            (*_MAVEN, Choice("invokerPackage", "Invoker package", "The package of the sources.", True)),
        ),
        Kind(
            "java",
            "Java SDK",
            "java",
            (
                _SERVICE,
                Choice("java.package-name", "Java Package Name", "The package of the sources.", True),
                Choice(
                    "java.build-system", "Java Build System", "maven, or nothing for the sources alone.", False, "maven"
                ),
                Choice("java.group-id", "Java Group Id", "The group of the artifact.", False),
                Choice("java.artifact-id", "Java Artifact Id", "The name of the artifact.", False),
                Choice(
                    "java.artifact-version",
                    "Java Artifact Version",
                    "The version of the artifact.",
                    False,
                    "1.0-SNAPSHOT",
                ),
            ),
        ),
        Kind("javascript", "JavaScript", "javascript"),
        Kind("objectivec", "iOS (Objective-C)", "objectivec", (_PREFIX,)),
        Kind(
            "ruby",
            "Ruby",
            "ruby",
            (
                _SERVICE,
                Choice("ruby.gem-name", "Gem Name", "The name of the gem.", False),
                Choice("ruby.gem-version", "Gem Version", "The version of the gem.", False, "1.0.0"),
            ),
        ),
        Kind("swift", "iOS (Swift)", "swift", (_PREFIX,)),
        Kind("python", "Python", "python", ours=True),
        Kind("typescript", "TypeScript", "typescript", ours=True),
    )
}


def shown(kind: Kind) -> api.SdkType:
    """As GetSdkType answers."""
    return api.SdkType(
        id=kind.id,
        friendly_name=kind.label,
        configuration_properties=[
            api.SdkConfigurationProperty(
                name=each.name,
                friendly_name=each.label,
                description=each.description,
                required=each.required,
                default_value=each.default,
            )
            for each in kind.choices
        ]
        or None,
    )


def chosen(kind: Kind, parameters: dict[str, str]) -> dict[str, str]:
    """What was chosen, with defaults; raises KeyError with the name of what is required and missing."""
    found = {each.name: each.default for each in kind.choices if each.default is not None} | parameters
    for each in kind.choices:
        if each.required and not found.get(each.name):
            raise KeyError(each.name)
    return found
