"""A client for Android: Java, built with Gradle."""

from __future__ import annotations

from cumulet.services.apigateway.sdk import java
from cumulet.services.apigateway.sdk.shape import Shape, pascal, plain_name


def files(shape: Shape, parameters: dict[str, str]) -> dict[str, str]:
    """A library's project."""
    package = plain_name(parameters["invokerPackage"], "invoker package")
    artifact = plain_name(parameters["artifactId"], "artifact id")
    group = plain_name(parameters["groupId"], "group id")
    version = plain_name("v" + parameters["artifactVersion"], "artifact version")[1:]
    service = pascal(shape.title) if shape.title.isascii() else "Api"
    found = java.sources(shape, f"{service}Client", package, "src/main/java", "AndroidTransport.java")
    found["build.gradle"] = (
        f"plugins {{ id 'java-library' }}\n\ngroup = '{group}'\nversion = '{version}'\n"
        "java {\n    sourceCompatibility = JavaVersion.VERSION_1_8\n    targetCompatibility = JavaVersion.VERSION_1_8\n}\n"
    )
    found["settings.gradle"] = f"rootProject.name = '{artifact}'\n"
    return {f"{artifact}/{path}": text for path, text in found.items()}
