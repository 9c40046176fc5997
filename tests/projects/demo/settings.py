"""Settings of demo on this host: the project's, and what production needs."""

import os

from demo.settings.base import *  # noqa: F403 - settings are made so

SECRET_KEY = os.environ["SECRET_KEY"]
ALLOWED_HOSTS = ["localhost"]
