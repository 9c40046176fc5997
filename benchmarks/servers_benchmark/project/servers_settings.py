"""The settings of the sizing benchmark's project, with a database that every server can read."""

from settings import *  # noqa: F403 - all of them, but one

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": "/var/lib/servers/magazine.sqlite3",
        "CONN_MAX_AGE": 60,
    }
}
