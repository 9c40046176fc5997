"""Work that takes as long as somebody wants."""

import time
from pathlib import Path

DIRECTORY = Path("/var/opt/letters")


def wait_while_held(kind):
    """Wait until there is no file of this name in the data directory."""
    while (DIRECTORY / f"hold-{kind}").exists():
        time.sleep(0.1)
