"""A callback for tests: runs of ansible-playbook share the modules that Ansible has put together for the hosts."""

import os

import ansible
from ansible import constants
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: shared_modules
type: aggregate
short_description: Runs share the modules that Ansible has put together
description:
  - Ansible puts the archive of each module together anew in each run, a quarter of a second of CPU for one of ours.
  - If SHARED_MODULES names a directory, runs of the same version of ansible-core share them there. Who names it sees to
    it that the modules stay the same as long as it is there.
requirements: [to be enabled]
options: {}
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "shared_modules"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self):
        super().__init__()
        if "SHARED_MODULES" in os.environ:
            shared = os.path.join(os.environ["SHARED_MODULES"], ansible.__version__)
            os.makedirs(shared, exist_ok=True)
            # Where Ansible looks for them. The directory is of this run alone, and with it the link is removed.
            os.symlink(shared, os.path.join(constants.DEFAULT_LOCAL_TMP, "ansiballz_cache"))
