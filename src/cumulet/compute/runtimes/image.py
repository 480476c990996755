"""Functions that bring their whole file system: a container image, whose program speaks the HTTP Runtime API.

https://docs.aws.amazon.com/lambda/latest/dg/images-create.html
"""

from collections.abc import Mapping

from cumulet.compute.model import Image
from cumulet.compute.runtimes import command
from cumulet.compute.runtimes.runtime import Channel, Launch, Runtime

_USUAL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def image_zygote(id: str) -> str:
    """What the zygote of an image is called."""
    return f"image {id}"


class ImageRuntime:
    """One image: its zygote, which has the image as its root, serves every function that is made of it."""

    channel: Channel = "http"
    forked = False
    lean = None
    growth: Mapping[str, object] = {}
    start: Mapping[str, object] = {}

    def __init__(self, image: Image) -> None:
        self.name = "image"
        self.zygote = self.blank = image_zygote(image.id)
        self.path = str(image.root)
        self._image = image

    def for_function(self, memory_mb: int, environment: Mapping[str, str]) -> Runtime:
        del memory_mb, environment
        return self

    def launch(self) -> Launch:
        return Launch(binds=(), module=command.MODULE, root=str(self._image.root))

    def assignment(self, handler: str, code: str, environment: Mapping[str, str]) -> Mapping[str, object]:
        del handler, code
        image = self._image
        return {
            **command.named(image.argv, environment.get("PATH", _USUAL_PATH)),
            "frames": False,
            "folder": image.folder,
        }

    def variables(self) -> Mapping[str, str]:
        return {"PATH": _USUAL_PATH, "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001"}
