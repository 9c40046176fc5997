"""A page whose template was forgotten. Django's checks find no fault, and only a request does."""

import os

import django
import gunicorn
from demo.version import VERSION
from django.shortcuts import render


def home(request):
    served_by = {
        "Django": django.get_version(),
        "Gunicorn": gunicorn.__version__,
        "worker": os.getpid(),
    }
    answer = render(request, "start.html", {"version": VERSION, "served_by": served_by})
    answer["X-Version"] = VERSION
    return answer
