#!/usr/bin/env python3
"""Fetch a page and then the stylesheet that it names, as browsers do, again and again until SIGTERM.

follow.py URL OUTPUT     leaves in OUTPUT, in JSON: the number of pages by version, and what was missing
"""

from __future__ import annotations

import collections
import json
import re
import signal
import ssl
import sys
import time
import urllib.request
from pathlib import Path

PAUSE = 0.2

stopped = False


def stop(*_signal: object) -> None:
    global stopped
    stopped = True


def fetch(url: str, host: str) -> str:
    context = ssl._create_unverified_context() if url.startswith("https:") else None
    request = urllib.request.Request(url, headers={"Host": host})
    with urllib.request.urlopen(request, timeout=10, context=context) as answer:
        return answer.read().decode()


def main() -> None:
    """Follow the pages, and write what was seen."""
    url, host, output = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    signal.signal(signal.SIGTERM, stop)
    pages: collections.Counter[str] = collections.Counter()
    missing = []
    while not stopped:
        try:
            page = fetch(url, host)
            version = re.search(r"version (\w+)", page)[1]
            stylesheet = re.search(r'href="(/static/[^"]+)"', page)[1]
            if f"Version {version} " not in fetch(url.rstrip("/") + stylesheet, host):
                missing.append(f"{stylesheet} is not of {version}")
            pages[version] += 1
        except (OSError, TypeError) as error:
            missing.append(f"{getattr(error, 'url', url)}: {error}")
        time.sleep(PAUSE)
    output.write_text(json.dumps({"pages": pages, "missing": missing}))


if __name__ == "__main__":
    main()
