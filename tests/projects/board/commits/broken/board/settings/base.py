"""What holds wherever the project runs."""

import os

INSTALLED_APPS = ["django.contrib.staticfiles", "board"]
# Django imports these when the application is made, and not for its checks and migrations.
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware", "board.visits.CountVisits"]
ROOT_URLCONF = "board.urls"
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
STATIC_URL = "/static/"
STATIC_ROOT = os.environ.get("STATIC_ROOT")
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
