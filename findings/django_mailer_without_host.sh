#!/usr/bin/env bash
# Django 6.1: a mailer by SMTP without a host passes `manage.py check --deploy`, and raises InvalidMailer with the first mail.
# Up to 6.0, the same backend without a host sent to localhost.
#
# Most people expect one of two things of a check for deployment that has an error of its own for mailers (mail.E001, for the
# backend that prints): that it finds a mailer that can send nothing, or that the host is localhost as before.
#
# Output seen:
#   check --deploy names: nothing of mail
#   the first mail: InvalidMailer
#
# Needs a Python from 3.12 on. Exits with 1 if that has changed.

set -euo pipefail
work=$(mktemp --directory)
trap 'rm -rf "$work"' EXIT
cd "$work"

for python in python3 python3.14 python3.13 python3.12 none; do
  "$python" -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null && break
done
"$python" -m venv venv
venv/bin/python -m pip --isolated --quiet --disable-pip-version-check install Django==6.1

cat >settings.py <<'PYTHON'
SECRET_KEY = "not one of a site"
MAILERS = {"default": {"BACKEND": "django.core.mail.backends.smtp.EmailBackend"}}
PYTHON
export DJANGO_SETTINGS_MODULE=settings PYTHONPATH=$PWD
named=$(venv/bin/python -m django check --deploy 2>&1 | grep --only-matching 'mail\.[A-Z][0-9]*' || true)
echo "check --deploy names: ${named:-nothing of mail}"
raised=$(
  venv/bin/python - <<'PYTHON'
import django
from django.core.mail import send_mail

django.setup()
try:
    send_mail("subject", "text", "from@example.com", ["to@example.com"])
except Exception as error:
    print(type(error).__name__)
else:
    print("sent")
PYTHON
)
echo "the first mail: $raised"
[[ -z $named && $raised == InvalidMailer ]]
