#!/usr/bin/env bash
# Celery 5.7.0: if the module of the application can't be imported since another module is missing, `celery --app PACKAGE`
# says that the package has no attribute "celery", and nothing of the module that is missing.
#
# --app PACKAGE is the documented way for a Django project: Celery imports PACKAGE, and then looks for PACKAGE.celery. If
# anything that PACKAGE/celery.py imports is missing (ModuleNotFoundError, ImportError), Celery takes that for a package
# without such a module, and goes on to the attribute. Any other exception, such as a RuntimeError, is shown as it is. With
# --app PACKAGE.celery, the error of the import is shown.
#
# Most people expect the error of the import: the file is there, and the mistake is inside of it. A worker that does not
# come up after a release with a requirement that was forgotten sends them to look for the name of the application.
#
# Output seen:
#   an import that fails, --app shop          Module 'shop' has no attribute 'celery'
#   an import that fails, --app shop.celery   ModuleNotFoundError: No module named 'shop.envelopes'
#   another exception, --app shop             RuntimeError: no envelopes
#
# Exits with 1 if that has changed.

set -euo pipefail
work=$(mktemp --directory)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip --isolated --quiet --disable-pip-version-check install celery==5.7.0
mkdir "$work/shop"
touch "$work/shop/__init__.py"

# said APP FIRST-LINE: the last line of what celery says to a module shop/celery.py that begins with this line.
said() {
  printf '%s\nfrom celery import Celery\napp = Celery("shop")\n' "$2" >"$work/shop/celery.py"
  (cd "$work" && PYTHONPATH=. PYTHONDONTWRITEBYTECODE=1 "$work/venv/bin/celery" --app "$1" report 2>&1) |
    sed '/^$/d' | tail --lines=1
}

seen=$(
  printf '%-41s %s\n' 'an import that fails, --app shop' "$(said shop 'import shop.envelopes')"
  printf '%-41s %s\n' 'an import that fails, --app shop.celery' "$(said shop.celery 'import shop.envelopes')"
  printf '%-41s %s\n' 'another exception, --app shop' "$(said shop 'raise RuntimeError("no envelopes")')"
)
printf '%s\n' "$seen"
diff <(sed -n '/^# Output seen:/,/^#$/s/^#   //p' "$0") <(printf '%s\n' "$seen")
