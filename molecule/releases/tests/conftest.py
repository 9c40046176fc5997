"""The numbers of a run, which become a table of docs/zero_downtime.md."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]
# Not in molecule's own directory, which is emptied when the hosts are destroyed
RESULTS = REPOSITORY / ".cache" / "releases.json"


@pytest.fixture(scope="session")
def rate():
    """Requests a second: few, so that a slow machine answers them all. The table in docs/zero_downtime.md is of 200."""
    return int(os.environ.get("RELEASES_RATE", "20"))


@pytest.fixture(scope="session")
def results(pytestconfig):
    """What was lost in which event, and how long what took: of the role, and of the link. At the end, the table."""
    found = {"role": {"events": {}, "seconds": {}}, "link": {"events": {}, "seconds": {}}}
    yield found
    RESULTS.write_text(json.dumps(found, indent=1))
    script = REPOSITORY / "scripts" / "releases-table"
    table = subprocess.run([script, RESULTS], check=True, capture_output=True, text=True).stdout
    Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"], "releases.md").write_text(table)
    with pytestconfig.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print(f"\n\n{table}")
