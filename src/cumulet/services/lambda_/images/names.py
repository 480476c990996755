"""How images are named: account.dkr.ecr.region.domain/repository, with a tag or a digest."""

import re
from typing import NamedTuple

_URI = re.compile(
    r"(\d{12})\.dkr[.-]ecr\.([a-z0-9-]+)\.([a-z0-9.-]+(?::\d+)?)/"
    r"([a-z0-9]+(?:(?:\.|_{1,2}|-+|/)[a-z0-9]+)*)"
    r"(?::([A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?(?:@(sha256:[0-9a-f]{64}))?"
)
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Repository(NamedTuple):
    """Where images of one name are."""

    account: str
    region: str
    name: str


class Reference(NamedTuple):
    """An image as a request names it; `host` is the registry, `wanted` its tag or digest."""

    host: str
    repository: Repository
    wanted: str


def parse(uri: str) -> Reference | None:
    """None when it names no image of a registry as AWS's."""
    match = _URI.fullmatch(uri)
    if match is None:
        return None
    account, region, _, name, tag, digest = match.groups()
    return Reference(uri.partition("/")[0], Repository(account, region, name), digest or tag or "latest")


def resolved(uri: str, digest: str) -> str:
    """ResolvedImageUri: the image of `uri` by its digest, which is given without `sha256:`."""
    name = uri.partition("@")[0]
    host, slash, rest = name.rpartition("/")
    return f"{host}{slash}{rest.partition(':')[0]}@sha256:{digest}"
