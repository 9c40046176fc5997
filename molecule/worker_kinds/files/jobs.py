"""Tasks of dirty workers."""

import logging
import os
import time

from gunicorn.dirty import DirtyApp

HERE = os.path.dirname(__file__)


class Tasks(DirtyApp):
    """What takes long to load, or to do."""

    def init(self):
        """Load the version, unless the test has broken it."""
        with open(f"{HERE}/version") as file:
            self.version = file.read().strip()
        if self.version == "broken":
            raise LookupError("this version has no model")
        if self.version == "killed":
            os.kill(os.getpid(), 9)

    def wait(self, seconds):
        """Take so long."""
        time.sleep(seconds)
        return f"{self.version} {os.getpid()}"

    def log(self):
        """Write into Gunicorn's log."""
        logging.getLogger("gunicorn.error").info("A task in %s", os.getpid())
        return f"{self.version} {os.getpid()}"
