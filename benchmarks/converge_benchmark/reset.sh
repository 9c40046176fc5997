#!/bin/sh
# Resets a host to its state before the first deployment.
systemctl stop shop.socket shop.service 2>/dev/null
systemctl disable --quiet shop.socket shop.service 2>/dev/null
rm -rf /etc/systemd/system/shop.service /etc/systemd/system/shop.socket /opt/shop/venv* /etc/opt/shop/gunicorn.conf.py \
  /etc/logrotate.d/gunicorn-shop /var/opt/shop /var/log/shop /run/gunicorn /opt/shop/*/__pycache__ /root/.cache/pip \
  /root/.cache/uv
userdel shop 2>/dev/null
groupdel shop 2>/dev/null
systemctl daemon-reload
systemctl reset-failed
exit 0
