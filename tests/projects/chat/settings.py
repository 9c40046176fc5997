"""Production settings of a project of Django Channels behind a web server."""

import os

SECRET_KEY = os.environ["CHAT_SECRET_KEY"]
ALLOWED_HOSTS = ["chat.example.com"]
ROOT_URLCONF = "chat.urls"
INSTALLED_APPS = ["channels", "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"]
# Messages stay in their worker: each client of the tests talks to itself.
CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
USE_TZ = True
