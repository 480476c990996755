"""Access and execution logs of APIs, on their way to CloudWatch Logs."""

from cumulet.delivery.log_groups import LogWriter, Place, group_of

__all__ = ["LogWriter", "Place", "group_of"]
