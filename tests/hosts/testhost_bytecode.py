"""Has a test host compile once what Ansible sends to it again and again.

A module comes as a zip archive, and Python keeps no bytecode of what it imports from one: each module of each run
compiles a hundred files anew, which is a third of its time. Here, root keeps the bytecode under a hash of the source.
The hosts' Python imports this file at each start, from a .pth file.
"""

import _imp
import marshal
import os
import sys
import zipimport

FOLDER = os.environ.get("TESTHOST_BYTECODE", "/var/cache/testhost-bytecode")
compile_source = zipimport._compile_source


def load(path, source):
    """Return the code of a source in an archive."""
    # Not at each start of Python: it brings OpenSSL.
    import hashlib

    name = hashlib.blake2b(source, digest_size=16, person=sys.implementation.cache_tag.encode()).hexdigest()
    kept = os.path.join(FOLDER, name)
    try:
        with open(kept, "rb") as file:
            code = marshal.loads(file.read())
    except OSError:
        code = compile_source(path, source)
        keep(kept, code)
    # Tracebacks name the archive of this run.
    _imp._fix_co_filename(code, path)
    return code


def keep(path, code):
    """Write a file of bytecode as a whole; users other than root may not, and go without."""
    draft = f"{path}.{os.getpid()}"
    try:
        os.makedirs(FOLDER, exist_ok=True)
        with open(draft, "wb") as file:
            file.write(marshal.dumps(code))
        os.replace(draft, path)
    except OSError:
        pass


zipimport._compile_source = load
