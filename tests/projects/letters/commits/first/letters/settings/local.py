"""For work on the project."""

from letters.settings.base import *  # noqa: F403 - settings are made so

DEBUG = True
SECRET_KEY = "for work on the project only"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}}
