"""An application that computes, waits and keeps memory as its environment says, to compare with measurements."""

import os
import time

COMPUTE = float(os.environ.get("COMPUTE_SECONDS", "0"))
WAIT = float(os.environ.get("WAIT_SECONDS", "0"))
# Each worker makes its own after the fork, and without a copy, which would count in its peak.
KEPT = bytearray(b"x") * (int(os.environ.get("KEEP_MIB", "0")) << 20)


def application(environ, start_response):
    """Answer after computing and waiting."""
    end = time.thread_time() + COMPUTE
    while time.thread_time() < end:
        pass
    time.sleep(WAIT)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "3")])
    return [b"ok\n"]
