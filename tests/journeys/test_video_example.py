"""The video pipeline: what is uploaded is published with a playlist, what is no video is rejected, and no upload is taken twice."""

import json
import shutil
import time
from typing import Any

import pytest
from tests.journeys.examples import ACCOUNT, deploy

SIDE = 32


def video(frames: int) -> bytes:
    """A film of grey that becomes lighter, in the plainest format there is."""
    plane = SIDE * SIDE
    parts = [b"FRAME\n" + bytes([n * 8 % 256]) * plane + b"\x80" * (plane // 2) for n in range(frames)]
    return b"YUV4MPEG2 W%d H%d F10:1 Ip A1:1 C420jpeg\n" % (SIDE, SIDE) + b"".join(parts)


class Platform:
    """The deployed example."""

    def __init__(self, node: Any) -> None:
        self.machine = deploy(node, "video-on-demand")
        self.s3, self.dynamodb = node.client("s3", ACCOUNT), node.client("dynamodb", ACCOUNT)
        self.states = node.client("stepfunctions", ACCOUNT)

    def upload(self, name: str, content: bytes) -> None:
        self.s3.put_object(Bucket="videos", Key=f"incoming/{name}", Body=content)

    def outcome(self, name: str) -> dict[str, str]:
        """What the table says of a video once it is done with."""
        end = time.monotonic() + 80
        while time.monotonic() < end:
            item = self.dynamodb.get_item(TableName="Videos", Key={"video": {"S": name}}).get("Item", {})
            found = {key: value["S"] for key, value in item.items()}
            if found.get("state", "processing") != "processing":
                return found
            time.sleep(0.05)
        raise AssertionError(f"{name} is still processing")

    def read(self, key: str) -> bytes:
        content: bytes = self.s3.get_object(Bucket="videos", Key=key)["Body"].read()
        return content


def test_videos_are_published_and_other_files_rejected(strict: Any) -> None:
    platform = Platform(strict)
    film = video(5)
    platform.upload("my film.y4m", film)
    platform.upload("notes.txt", b"not a film")
    published = platform.outcome("my-film")
    assert published["state"] == "published"
    playlist = json.loads(platform.read(published["playlist"]))
    assert playlist["video"] == "my-film"
    assert playlist["renditions"][0] == {"rendition": "source", "key": "published/my-film/source.y4m"}
    assert platform.read("published/my-film/source.y4m") == film
    assert platform.outcome("notes") == {"video": "notes", "state": "rejected", "why": "NoVideo"}
    platform.upload("my film.y4m", film)
    time.sleep(1)  # for a third one, which there should not be

    def statuses() -> list[str]:
        executions = platform.states.list_executions(stateMachineArn=platform.machine)["executions"]
        return sorted(execution["status"] for execution in executions)

    end = time.monotonic() + 80
    while "RUNNING" in (found := statuses()):
        assert time.monotonic() < end, found
        time.sleep(0.05)
    assert found == ["FAILED", "SUCCEEDED"]


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="this machine has no ffmpeg: nothing can be transcoded")
def test_renditions_are_made(strict: Any) -> None:
    platform = Platform(strict)
    platform.upload("film.y4m", video(10))
    playlist = json.loads(platform.read(platform.outcome("film")["playlist"]))
    assert [made["rendition"] for made in playlist["renditions"]] == ["source", "240p", "480p"]
    for made in playlist["renditions"][1:]:
        assert platform.read(made["key"])[4:8] == b"ftyp"
