"""FileSystemConfigs as a member of a function's configuration.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-filesystem.html
"""

from __future__ import annotations

from collections.abc import Sequence

from cumulet.api import lambda_ as api
from cumulet.kernel.errors import NotImplementedHere
from cumulet.services.lambda_.concurrency.snap_start import asked
from cumulet.services.lambda_.errors import invalid

_EFS = "elasticfilesystem"


def members(configs: Sequence[api.FileSystemConfig] | None) -> dict[str, object]:
    """What a request changes of a function. Raises InvalidParameterValueException, NotImplementedHere."""
    if configs is None:
        return {}
    for config in configs:
        if config.arn.split(":")[2] != _EFS or config.s3_files_config is not None:
            raise NotImplementedHere("File systems of S3 Files are not implemented yet. See docs/services/lambda.md.")
        if config.local_mount_path in {"/mnt/.", "/mnt/.."}:
            raise invalid(f"LocalMountPath {config.local_mount_path} is no folder of /mnt.")
    return {"file_system_configs": list(configs) or None}


def check(configuration: api.FunctionConfiguration) -> None:
    """What goes with file systems. Raises InvalidParameterValueException."""
    configs = configuration.file_system_configs
    if not configs:
        return
    if configuration.vpc_config is None or not configuration.vpc_config.subnet_ids:
        raise invalid(f"Function must be configured to execute in a VPC to reference access point {configs[0].arn}")
    if asked(configuration):
        raise invalid("FileSystemConfigs is not supported for SnapStart enabled functions.")
