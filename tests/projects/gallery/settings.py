"""Production settings of a Django project behind a web server."""

import os
from pathlib import Path

SECRET_KEY = os.environ["GALLERY_SECRET_KEY"]
ALLOWED_HOSTS = [".gallery.example.com"]
ROOT_URLCONF = "gallery.urls"
INSTALLED_APPS = ["django.contrib.staticfiles", "gallery"]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
STATIC_URL = "/static/"
STATIC_ROOT = Path("/var/cache/gallery/static")
MEDIA_URL = "/media/"
MEDIA_ROOT = Path("/var/opt/gallery/media")
DATA_UPLOAD_MAX_MEMORY_SIZE = None
USE_TZ = True
