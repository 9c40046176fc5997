"""A page with a stylesheet, a page with what Django sees of the request, and uploads."""

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.http import JsonResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt


def home(request):
    client = request.headers.get("X-Forwarded-For")
    return render(request, "home.html", {"client": client, "scheme": request.scheme})


def seen(request):
    return JsonResponse(
        {
            "peer": request.META["REMOTE_ADDR"],
            "scheme": request.scheme,
            "host": request.get_host(),
            "url": request.META["RAW_URI"],
            "connection": request.headers.get("Connection", ""),
            "upgrade": request.headers.get("Upgrade", ""),
            "forwarded": {name: value for name, value in request.headers.items() if "Forwarded" in name},
            "real": request.headers.get("X-Real-Ip"),
        }
    )


@csrf_exempt
def upload(request):
    name = default_storage.save("pictures/" + request.GET["name"], ContentFile(request.body))
    return JsonResponse({"url": default_storage.url(name), "size": len(request.body)}, status=201)
