#!/bin/sh
# Deploys a version of the project: a release directory, the requirements, the static files, the migrations, the link, and
# a reload.
set -eu
release=/srv/plain/releases/$1
git clone --quiet /srv/board.git "$release"
git -C "$release" checkout --quiet "$1"
test -e /srv/plain/venv || python3 -m venv /srv/plain/venv
/srv/plain/venv/bin/pip install --quiet --disable-pip-version-check -r "$release/requirements.txt" gunicorn==27.0.1

set -a
. /etc/opt/plain/environment
PYTHONPATH=/etc/opt/plain:$release
STATIC_ROOT=$release/staticfiles
/srv/plain/venv/bin/python -m django collectstatic --noinput
runuser -u plain -- /srv/plain/venv/bin/python -m django migrate --noinput

ln -sfn "$release" /srv/plain/current
systemctl reload-or-restart plain.service
