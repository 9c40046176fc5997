"""Which version this is, and a page where letters and stamps are ordered."""

import uuid

from django.http import HttpResponse, JsonResponse

from letters.tasks import letter, stamp
from letters.version import VERSION


def home(request):
    return HttpResponse(f"version {VERSION}", headers={"X-Version": VERSION})


def order(request):
    """Order so many, and answer with their names."""
    from letters.celery import app

    letters, stamps = (range(int(request.GET.get(name, 0))) for name in ("letters", "stamps"))
    with app.connection_for_write() as connection:
        ordered = {"held": "held" in request.GET}
        names = [letter.apply_async(kwargs=ordered, connection=connection).id for _number in letters]
    stamped = [uuid.uuid4().hex for _number in stamps]
    for name in stamped:
        stamp(name)
    return JsonResponse({"letter": names, "stamp": stamped})
