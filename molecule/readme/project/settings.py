"""Settings of mysite for production."""

import os

SECRET_KEY = "tests"
ALLOWED_HOSTS = ["www.example.com", "example.com", "localhost"]
ROOT_URLCONF = "mysite.urls"
INSTALLED_APPS = ["django.contrib.staticfiles", "mysite"]
STATIC_URL = "/static/"
STATIC_ROOT = os.environ["STATIC_ROOT"]
USE_TZ = True
