#!/bin/sh
# The work of the role by hand, as a careful person would write it for one project; it runs as root on the host.
# The text before it sets `workers`, and a function `write_files DIRECTORY` that writes the files of the role.
# It checks only what the work itself needs, and cannot undo a change that fails.

set -eu
venv=/opt/shop/venv
units=/etc/systemd/system
runtime=/run/systemd/system

# live NAME: print the path of a file of the service.
live() {
  case $1 in
    gunicorn.conf.py) echo /etc/opt/shop/gunicorn.conf.py ;;
    gunicorn-shop) echo /etc/logrotate.d/gunicorn-shop ;;
    *) echo "$units/$1" ;;
  esac
}

install_all() {
  getent group shop >/dev/null || groupadd --system shop
  id shop >/dev/null 2>&1 ||
    useradd --system --gid shop --home-dir /var/opt/shop --no-create-home --shell /usr/sbin/nologin shop
  for directory in /var/opt/shop /var/log/shop; do
    [ -d "$directory" ] || install -d -o shop -g shop -m 0750 "$directory"
  done
  if ! "$venv/bin/python" -I -c '
from importlib.metadata import version
assert version("Django").startswith("5.2") and version("gunicorn") >= "23"' 2>/dev/null; then
    python3 -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-index --find-links=/srv/wheels \
      "Django ~= 5.2" whitenoise "gunicorn >= 23"
  fi
}

# differs: whether a file differs from the wanted one, or the service does not run.
differs() {
  for file in "$new"/*; do
    cmp --quiet "$file" "$(live "${file##*/}")" || return 0
  done
  ! systemctl --quiet is-active shop.socket shop.service
}

put_files() {
  for file in "$new"/*; do
    target=$(live "${file##*/}")
    install -m 0644 "$file" "$target.new"
    mv "$target.new" "$target"
  done
  chgrp shop /etc/opt/shop/gunicorn.conf.py
  chmod 0640 /etc/opt/shop/gunicorn.conf.py
  systemctl daemon-reload
}

# stand_in: another instance of the new configuration on the same sockets, which serves during the restart.
stand_in() {
  install -g shop -m 0640 "$new/gunicorn.conf.py" /etc/opt/shop/.candidate.gunicorn.conf.py
  mkdir -p "$runtime/shop-standin.service.d"
  sed -e '/^Requires=/d; /^After=/d; /^ExecReload=/d; /^Restart/d; /^\[Install\]/,$d' \
    -e 's|gunicorn/shop|gunicorn/shop-standin|' -e 's|/gunicorn.conf.py|/.candidate.gunicorn.conf.py|' \
    "$new/shop.service" >"$runtime/shop-standin.service"
  printf '[Service]\nSockets=shop.socket\n' >"$runtime/shop-standin.service.d/sockets.conf"
  systemctl daemon-reload
  systemctl start shop-standin.service
}

leave() {
  systemctl stop shop-standin.service
  rm -r /etc/opt/shop/.candidate.gunicorn.conf.py "$runtime/shop-standin.service" "$runtime/shop-standin.service.d"
  systemctl daemon-reload
}

check() {
  for address in 127.0.0.1 '[::1]'; do
    curl --fail --silent --show-error --max-time 10 --header 'Host: localhost' "http://$address:8000/" >/dev/null
  done
  master=$(systemctl show --value --property=MainPID shop.service)
  for _try in $(seq 50); do
    [ "$(pgrep --count --parent "$master")" = "$workers" ] && return
    sleep 0.1
  done
  return 1
}

install_all
new=$(mktemp -d)
trap 'rm -rf "$new"' EXIT
write_files "$new"
if differs; then
  if systemctl --quiet is-active shop.service; then
    stand_in
    put_files
    systemctl restart shop.service
    leave
  else
    put_files
    systemctl --quiet enable shop.socket shop.service
    systemctl start shop.socket shop.service
  fi
  check
fi
