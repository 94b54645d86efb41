"""What home do the journeys begin with?"""

from __future__ import annotations

import shutil
from pathlib import Path

from triage.db.upgrade import upgrade_database

POLICY = """
[[rules]]
name = "VPN belongs to the network"
keywords = ["vpn"]
set = { queue = "network" }
"""


def new_home(sample_home: Path, folder: Path, policy: str | None = None) -> Path:
    """A copy of the sample desk in that folder with a database of its own, under its own policy or this one."""
    home = Path(shutil.copytree(sample_home, folder / "home"))
    if policy is not None:
        (home / "policy.toml").write_text(policy)
    upgrade_database(f"sqlite:///{home / 'triage.db'}")
    return home
