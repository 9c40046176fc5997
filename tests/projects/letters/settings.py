"""Settings of letters on this host: the project's, and what production needs."""

import os

from letters.settings.base import *  # noqa: F403 - settings are made so

SECRET_KEY = os.environ["LETTERS_SECRET_KEY"]
ALLOWED_HOSTS = ["letters.example.com"]
# By the unix socket, where PostgreSQL knows the service's user
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "letters"}}
# With Redis's password
CELERY_BROKER_URL = os.environ["LETTERS_BROKER"]
HUEY["url"] = os.environ["LETTERS_BROKER"]  # noqa: F405
