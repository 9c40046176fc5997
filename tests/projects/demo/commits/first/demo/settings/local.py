"""For work on the project."""

from demo.settings.base import *  # noqa: F403 - settings are made so

DEBUG = True
SECRET_KEY = "for work on the project only"
