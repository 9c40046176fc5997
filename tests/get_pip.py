"""Stands in for the script of this name that ansible-test fetches from the web: Python itself can bring pip."""

import ensurepip
import runpy
import sys

# Options of the original which pip does not have.
NOT_FOR_PIP = {"--no-setuptools", "--no-wheel"}

ensurepip.bootstrap()
sys.argv = ["pip", "install", *(argument for argument in sys.argv[1:] if argument not in NOT_FOR_PIP)]
runpy.run_module("pip", run_name="__main__")
