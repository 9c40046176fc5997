"""A page that says what serves it. Each answer names the version of the code that made it."""

import os

import django
import gunicorn
from django.shortcuts import render

from demo.version import VERSION


def home(request):
    served_by = {
        "Django": django.get_version(),
        "Gunicorn": gunicorn.__version__,
        "worker": os.getpid(),
    }
    answer = render(request, "home.html", {"version": VERSION, "served_by": served_by})
    answer["X-Version"] = VERSION
    return answer
