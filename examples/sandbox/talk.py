"""A session: a MicroVM of its own, to which snippets of code are sent. Runs against Cumulet or AWS.

Usage: python examples/sandbox/talk.py IMAGE
"""

import sys
import time
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import boto3


class Session:
    """Ten minutes without a snippet, and it is suspended; the next one wakes it, for half an hour."""

    def __init__(self, image: str) -> None:
        self.microvms = boto3.client("lambda-microvms")
        idle = {"maxIdleDurationSeconds": 600, "suspendedDurationSeconds": 1800, "autoResumeEnabled": True}
        made = self.microvms.run_microvm(imageIdentifier=image, idlePolicy=idle)
        self.id, self.host = made["microvmId"], made["endpoint"]
        token = self.microvms.create_microvm_auth_token(
            microvmIdentifier=self.id, expirationInMinutes=60, allowedPorts=[{"port": 8080}]
        )
        self._headers = token["authToken"]

        # Names under localhost are resolved by browsers and curl, not by every system: the node is asked by its own address.
        node = urlsplit(self.microvms.meta.endpoint_url)
        here = self.host.rpartition(":")[0].endswith(".localhost")
        self._url = f"{node.scheme}://{node.netloc}/" if here else f"https://{self.host}/"
        self._headers["Host"] = self.host

    def run(self, code: str) -> str:
        """What the code prints. While the MicroVM starts, it is asked again."""
        for _ in range(60):
            try:
                with urlopen(Request(self._url, code.encode(), self._headers), timeout=60) as answer:
                    return str(answer.read().decode())
            except HTTPError as error:
                if error.code != 502:
                    raise
                time.sleep(0.5)
        raise TimeoutError(self.id)

    def end(self) -> None:
        self.microvms.terminate_microvm(microvmIdentifier=self.id)


if __name__ == "__main__":
    session = Session(sys.argv[1])
    try:
        for line in sys.stdin:
            sys.stdout.write(session.run(line))
    finally:
        session.end()
