"""Stands in for the script of this name that ansible-test fetches from the web: Python itself can bring pip."""

import os
import subprocess
import sys

# Options of the original which pip does not have.
NOT_FOR_PIP = {"--no-setuptools", "--no-wheel"}

# In a process of its own, since it switches off the configuration of pip, which may name a proxy's certificate.
subprocess.run([sys.executable, "-m", "ensurepip"], check=True, stdout=subprocess.DEVNULL)
wanted = [argument for argument in sys.argv[1:] if argument not in NOT_FOR_PIP]
os.execv(sys.executable, [sys.executable, "-m", "pip", "install", *wanted])
