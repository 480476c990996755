"""Access and execution logs of APIs, on their way to CloudWatch Logs."""

from cumulet.delivery.log_groups import LogWriter, Place, group_of
from cumulet.kernel.errors import NotImplementedHere

__all__ = ["LogWriter", "Place", "check_destination", "group_of"]


def check_destination(arn: str, service: str) -> None:
    """Raises NotImplementedHere for destinations that nothing would be written to."""
    if arn.startswith("arn:") and arn.split(":", 3)[2] == "firehose":
        raise NotImplementedHere(
            f"Access logs to Firehose are not implemented in Cumulet's {service} yet: name a log group."
            f" See docs/services/{service}.md."
        )
