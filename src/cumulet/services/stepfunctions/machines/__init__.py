"""State machines: what they are, their revisions, versions and aliases.

`SCHEMAS` are the tables, each migrated under its name; `build` makes what the service's state holds as `machines`. `control` has
the modules with operations, and `resume`, which goes on with deletions that a stop interrupted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cumulet.services.stepfunctions.apart import Apart
from cumulet.services.stepfunctions.machines import alias_store, store, tag_store, version_store
from cumulet.services.stepfunctions.machines.directory import Machines
from cumulet.storage.database import Database
from cumulet.storage.signals import Signals

if TYPE_CHECKING:
    from cumulet.services.stepfunctions.limits import Limits

SCHEMAS = {
    "sfn_machines": store.SCHEMA,
    "sfn_versions": version_store.SCHEMA,
    "sfn_aliases": alias_store.SCHEMA,
    "sfn_tags": tag_store.SCHEMA,
}


def build(db: Database, signals: Signals, limits: Limits, apart: Apart) -> Machines:
    """State machines on a database."""
    return Machines(store.MachineStore.on(db, limits.versions), signals, apart)
