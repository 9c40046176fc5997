"""Which version this is, and a page where letters and stamps are ordered."""

import uuid

from django.http import HttpResponse

from letters.tasks import letter, stamp
from letters.version import VERSION


def home(request):
    return HttpResponse(f"version {VERSION}", headers={"X-Version": VERSION})


def order(request):
    from letters.celery import app

    letters, stamps = (int(request.GET.get(name, 0)) for name in ("letters", "stamps"))
    with app.connection_for_write() as connection:
        for _number in range(letters):
            letter.apply_async(kwargs={"held": "held" in request.GET}, connection=connection)
    for _number in range(stamps):
        stamp(uuid.uuid4().hex)
    return HttpResponse(f"{letters} letters, {stamps} stamps")
