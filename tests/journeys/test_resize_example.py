"""Pictures in the size that an address asks for: made once, kept, and made anew when the original changes."""

import io
import urllib.error
import urllib.request
from email.message import Message
from typing import Any
from urllib.parse import quote

import pytest
from tests.journeys.examples import ACCOUNT, EXAMPLES, deploy
from tests.journeys.test_layer_examples import VERSION

PHOTOGRAPH = (EXAMPLES / "thumbnail" / "astronaut.jpg").read_bytes()


def ask(node: Any, url: str, path: str, **headers: str) -> tuple[int, Message, bytes]:
    """By path, since not every machine resolves names under localhost."""
    host, _, place = url.removeprefix("http://").partition("/")
    request = urllib.request.Request(
        f"{node.endpoint}/_aws/execute-api/{host.split('.')[0]}/{place}{path}", None, headers
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def test_a_picture_in_the_size_that_is_asked_for(strict: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    url = deploy(strict, "resize")
    installed = (EXAMPLES.parent / "build" / "resize").glob(f"{VERSION}-*")
    monkeypatch.syspath_prepend(next(folder for folder in installed if folder.suffix != ".partial"))
    from PIL import Image, ImageChops, ImageStat

    s3 = strict.client("s3", ACCOUNT)
    s3.put_object(Bucket="pictures", Key="nasa/eileen collins.jpg", Body=PHOTOGRAPH)
    path = f"/200x100/{quote('nasa/eileen collins.jpg', safe='')}"
    status, headers, first = ask(strict, url, path, Accept="image/avif,image/webp,*/*;q=0.8")
    assert (status, headers["Content-Type"], headers["X-Picture"]) == (200, "image/jpeg", "made")
    assert headers["Content-Length"] == str(len(first))
    original, small = Image.open(io.BytesIO(PHOTOGRAPH)), Image.open(io.BytesIO(first))
    assert (small.format, small.size) == ("JPEG", (100, 100))
    expected = io.BytesIO()
    original.resize((100, 100), Image.Resampling.LANCZOS).save(expected, "JPEG", quality=85)
    assert max(ImageStat.Stat(ImageChops.difference(small, Image.open(expected))).mean) < 2

    status, headers, second = ask(strict, url, path)
    assert (status, headers["X-Picture"], second) == (200, "kept", first)
    [kept] = s3.list_objects_v2(Bucket="pictures-resized")["Contents"]
    assert kept["Key"].startswith("200x100/")
    assert s3.get_object(Bucket="pictures-resized", Key=kept["Key"])["Body"].read() == first

    red = io.BytesIO()
    Image.new("RGB", (400, 400), "red").save(red, "PNG")
    s3.put_object(Bucket="pictures", Key="nasa/eileen collins.jpg", Body=red.getvalue())
    status, headers, third = ask(strict, url, path)
    assert (status, headers["X-Picture"]) == (200, "made")
    assert Image.open(io.BytesIO(third)).getpixel((50, 50)) == (254, 0, 0)
    _, _, large = ask(strict, url, path.replace("200x100", "2000x2000"))
    assert Image.open(io.BytesIO(large)).size == (400, 400)

    s3.put_object(Bucket="pictures", Key="broken.jpg", Body=PHOTOGRAPH[:1000])
    s3.put_object(Bucket="pictures", Key="text.jpg", Body=b"text")
    for bad, refused in (
        ("/0x1/text.jpg", 400),
        ("/2001x1/text.jpg", 400),
        ("/text/text.jpg", 400),
        ("/10x10/none.jpg", 404),
        ("/10x10/text.jpg", 422),
        ("/10x10/broken.jpg", 422),
    ):
        status, headers, said = ask(strict, url, bad)
        assert (status, headers["Content-Type"]) == (refused, "text/plain"), bad
        assert said.decode().endswith(".\n")
    assert ask(strict, url, "/10x10")[0] == 403
    assert len(s3.list_objects_v2(Bucket="pictures-resized")["Contents"]) == 3
