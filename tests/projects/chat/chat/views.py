"""A page with what Django sees of the request."""

from django.http import JsonResponse


def seen(request):
    return JsonResponse({"scheme": request.scheme, "upgrade": request.headers.get("Upgrade", "")})
