"""A page that fails, and one that does not."""

from django.http import HttpResponse


def home(request):
    raise RuntimeError("nobody tried this page")


def add(request):
    return HttpResponse("added")
