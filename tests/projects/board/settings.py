"""Settings of board on this host: the project's, and what production needs."""

import os

from board.settings.base import *  # noqa: F403 - settings are made so

SECRET_KEY = os.environ["BOARD_SECRET_KEY"]
ALLOWED_HOSTS = ["board.example.com"]
# By the unix socket, where PostgreSQL knows the service's user
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": os.environ.get("BOARD_DATABASE", "board"),
        "CONN_MAX_AGE": 60,
    }
}
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"},
}
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = "BOARD_HTTPS_ONLY" in os.environ
