"""Each errand has a page with its result or, with status 500, its error."""

from django.core.files.storage import default_storage
from django.http import Http404, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from errands.errands import ERRANDS


def home(request):
    return HttpResponse("errands")


def errand(request, name):
    if name not in ERRANDS:
        raise Http404
    try:
        return _plain(ERRANDS[name](request.GET.get("text", "")))
    except Exception as error:
        return _plain(f"{type(error).__name__}: {error}", status=500)


@csrf_exempt
@require_POST
def upload(request):
    file = request.FILES["file"]
    return _plain(default_storage.path(default_storage.save(file.name, file)))


def _plain(text, status=200):
    return HttpResponse(f"{text}\n", content_type="text/plain", status=status)
