"""What each server loads."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "servers_settings")

from django.core.wsgi import get_wsgi_application  # noqa: E402 - it needs the variable

application = get_wsgi_application()
