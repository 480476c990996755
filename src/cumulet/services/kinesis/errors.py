"""What Kinesis answers for what it does not find, or refuses."""

from cumulet.api import kinesis as api
from cumulet.services.kinesis.model import StreamKey, shard_id


def no_stream(key: StreamKey) -> api.ResourceNotFoundException:
    account, _, name = key
    return api.ResourceNotFoundException(f"Stream {name} under account {account} not found.")


def no_shard(key: StreamKey, number: int) -> api.ResourceNotFoundException:
    """As reading operations say it."""
    account, _, name = key
    return api.ResourceNotFoundException(
        f"Shard {shard_id(number)} in stream {name} under account {account} does not exist"
    )


def unknown_shard(key: StreamKey, text: str) -> api.ResourceNotFoundException:
    """As operations say it that change shards, and all of them for what is no shard's id."""
    account, _, name = key
    return api.ResourceNotFoundException(f"Could not find shard {text} in stream {name} under account {account}.")


def invalid(message: str) -> api.InvalidArgumentException:
    return api.InvalidArgumentException(message)


def dry_run() -> api.DryRunOperationException:
    return api.DryRunOperationException("The request would have succeeded, but the DryRun option is set.")
