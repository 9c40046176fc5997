"""Settings of errands on this host; every service with the project has its data in its user's home directory."""

import os
from pathlib import Path

_DATA = Path.home()
_POSTGRESQL = {"ENGINE": "django.db.backends.postgresql", "NAME": "errands"}

SECRET_KEY = "of a test"
ALLOWED_HOSTS = ["localhost", "127.0.0.1"]
ROOT_URLCONF = "errands.urls"
INSTALLED_APPS = ["errands"]
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": _DATA / "db.sqlite3"},
    "tcp": {
        **_POSTGRESQL,
        "HOST": "127.0.0.1",
        "USER": "errands",
        "PASSWORD": os.environ.get("DATABASE_PASSWORD", ""),
    },
    "socket": _POSTGRESQL,
}
MEDIA_ROOT = _DATA / "media"
EMAIL_HOST = "localhost"
