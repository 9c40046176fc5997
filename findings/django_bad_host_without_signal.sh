#!/usr/bin/env bash
# Django 5.2.8
#
# Django turns a request with a host that is not in ALLOWED_HOSTS into an answer with the status 400, and sends no
# got_request_exception for it, although an exception (DisallowedHost) is its reason. It is only logged, by the logger
# django.security.DisallowedHost. A view that raises gets the signal.
#
# Most people expect the signal for every exception that becomes an answer. What listens to it, such as a reporter of
# errors or a health check that wants to say why, learns nothing of the most common mistake of a first deployment.
#
# Output:
#   status 400, signals: 0, logged by django.security.DisallowedHost
#   status 500, signals: 1, logged by django.request
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "Django==5.2.8"
cat >"$folder/show.py" <<'PYTHON'
import logging

import django
from django.conf import settings
from django.core.signals import got_request_exception
from django.core.wsgi import get_wsgi_application
from django.test import RequestFactory
from django.urls import path


def view(request):
    if request.path == "/raises":
        raise RuntimeError("a view that raises")
    request.get_host()


urlpatterns = [path("raises", view), path("", view)]
settings.configure(
    ALLOWED_HOSTS=["www.example.com"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="x",
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
    LOGGING_CONFIG=None,
)
django.setup()
application = get_wsgi_application()
signals, loggers = [], []


class Noting(logging.Handler):
    def emit(self, record):
        loggers.append(record.name)


logging.getLogger().addHandler(Noting(logging.WARNING))
got_request_exception.connect(lambda **_named: signals.append(1), weak=False)
for host, address in (("localhost", "/"), ("www.example.com", "/raises")):
    signals.clear()
    loggers.clear()
    answers = []
    environ = {**RequestFactory().get(address).environ, "HTTP_HOST": host, "SERVER_NAME": host}
    application(environ, lambda status, headers, exc_info=None: answers.append(status.split()[0]))
    print(f"status {answers[0]}, signals: {len(signals)}, logged by {loggers[0]}")
PYTHON
shown=$("$folder/venv/bin/python" "$folder/show.py" 2>/dev/null)
echo "$shown"
[[ $shown == "status 400, signals: 0, logged by django.security.DisallowedHost
status 500, signals: 1, logged by django.request" ]] || {
  echo "the behaviour has changed" >&2
  exit 1
}
