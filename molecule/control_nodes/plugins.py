"""plugins.py FOLDER DESTINATION: takes the plugins for connections and for root out of the package `ansible`."""

import sys
import zipfile
from pathlib import Path

COLLECTIONS = ("ansible/netcommon", "community/general", "containers/podman")
PARTS = ("meta", "plugins/become", "plugins/connection", "plugins/doc_fragments", "plugins/plugin_utils")

folder, destination = Path(sys.argv[1]), sys.argv[2]
wanted = tuple(f"ansible_collections/{collection}/{part}/" for collection in COLLECTIONS for part in PARTS)
with zipfile.ZipFile(max(folder.glob("ansible-*.whl"))) as package:
    package.extractall(destination, [name for name in package.namelist() if name.startswith(wanted)])
