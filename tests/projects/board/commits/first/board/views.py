"""The newest notes, and a page that adds one. Each answer names the version of the code that made it."""

from django.http import HttpResponse
from django.template.loader import render_to_string

from board.models import Note
from board.version import VERSION

HEADERS = {"X-Version": VERSION}


def home(request):
    notes = [note.text for note in Note.objects.order_by("-pk")[:5]]
    page = render_to_string("board.html", {"notes": notes, "version": VERSION})
    return HttpResponse(page, headers=HEADERS)


def add(request):
    Note.objects.create(text="A note")
    return HttpResponse("added", headers=HEADERS)
