"""What Gunicorn loads, in place of its option --paste."""

from pyramid.paster import get_app, setup_logging

INI = "/etc/opt/pages/production.ini"
setup_logging(INI)
application = get_app(INI)
