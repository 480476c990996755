"""Packages of Maven's repositories, by Maven itself: its settings, its mirrors; what its checksums do not fit is refused."""

import tempfile
from pathlib import Path

import msgspec

from cumulet.compute.runtimes.tools import run, tool

_PROJECT = """<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion><groupId>cumulet</groupId><artifactId>wanted</artifactId><version>1</version>
<dependencies><dependency>
<groupId>{group}</groupId><artifactId>{name}</artifactId><version>{versions}</version>{classifier}
</dependency></dependencies>
</project>
"""


class Artifact(msgspec.Struct, frozen=True):
    """What to get. `versions` is a range, as Maven writes it, of which the newest is taken; one with a `classifier` comes
    alone, without what it depends on."""

    group: str
    name: str
    versions: str
    classifier: str = ""


def copy(artifact: Artifact, folder: Path, search_path: str) -> None:
    """Put its jar, with those of what it needs at run time, into `folder`. Raises NotInstalled."""
    maven = tool("mvn", search_path, "Maven (package maven)")
    classifier = f"<classifier>{artifact.classifier}</classifier>" if artifact.classifier else ""
    project = _PROJECT.format(
        group=artifact.group, name=artifact.name, versions=artifact.versions, classifier=classifier
    )
    goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={folder}"]
    if classifier:
        goal.append("-DexcludeTransitive=true")
    with tempfile.TemporaryDirectory() as made:
        model = Path(made) / "pom.xml"
        model.write_text(project)
        run([maven, "--batch-mode", "--quiet", "--strict-checksums", "-f", str(model), *goal], Path(made))
