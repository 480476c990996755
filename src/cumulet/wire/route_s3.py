"""Which operation of S3 an address means: by host and path (service, bucket or key), then by parameters and headers."""

from functools import lru_cache
from urllib.parse import unquote

from cumulet.api.model import Model
from cumulet.wire.paths import Params, Rule, rule

# Directory buckets' list has no address of its own: only its x-id tells it from ListBuckets.
_BY_ID_ONLY = frozenset({"ListDirectoryBuckets", "WriteGetObjectResponse"})
_LOCAL = (".localhost", ".localhost.localstack.cloud")


@lru_cache(4096)
def bucket_of_host(host: str) -> str:
    """The bucket that a virtual-hosted address names; empty for any other host."""
    host = host.partition(":")[0].lower() if not host.startswith("[") else ""
    if host.startswith(("s3.", "s3-")):
        return ""
    for mark in (".s3.", ".s3-"):
        bucket, found, _ = host.rpartition(mark)
        if found:
            return bucket
    return next((host.removesuffix(end) for end in _LOCAL if host.endswith(end)), "")


class S3Table:
    """S3's operations by method and what the path names."""

    def __init__(self, model: Model) -> None:
        self._plain: dict[tuple[str, int], list[Rule]] = {}
        self._by_param: dict[tuple[str, int, str], list[Rule]] = {}
        for name, operation in model.operations.items():
            if name not in _BY_ID_ONLY:
                _, found = rule(model, name, demands=True)
                self._add(operation.method, found)

    def _add(self, method: str, found: Rule) -> None:
        keys = [*(name for name, _ in found.literals), *found.names]
        lists = [self._by_param.setdefault((method, len(found.labels), key), []) for key in keys]
        for rules in lists or [self._plain.setdefault((method, len(found.labels)), [])]:
            rules.append(found)
            rules.sort(key=lambda rule: rule.weight, reverse=True)

    def match(
        self, method: str, path: str, host_bucket: str, params: Params, headers: dict[str, str]
    ) -> tuple[str, dict[str, str]] | None:
        """The operation and its Bucket and Key, decoded; None when the method means nothing there."""
        place = labels(path, host_bucket)
        kind = len(place)
        best: Rule | None = None
        for name in params:
            for found in self._by_param.get((method, kind, name), ()):
                if found.fits(params, headers) and (best is None or found.weight > best.weight):
                    best = found
        if best is not None:
            return best.operation, place
        for found in self._plain.get((method, kind), ()):  # no parameters are asked of these
            if not found.headers or found.headers <= headers.keys():
                return found.operation, place
        return None


def labels(path: str, host_bucket: str) -> dict[str, str]:
    """The Bucket and Key that an address names, decoded; `host_bucket` is what its host already named."""
    rest = path.removeprefix("/")
    if host_bucket:
        bucket, key = host_bucket, rest
    else:
        bucket, _, key = rest.partition("/")
        bucket = unquote(bucket)
    if not bucket:
        return {}
    return {"Bucket": bucket, "Key": unquote(key) if "%" in key else key} if key else {"Bucket": bucket}
