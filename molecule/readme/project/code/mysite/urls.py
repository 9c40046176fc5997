"""A page with a stylesheet."""

from django.http import HttpResponse
from django.templatetags.static import static
from django.urls import path


def home(request):
    page = "<!doctype html><title>mysite</title><link rel=stylesheet href=%s><p>To %s by %s"
    return HttpResponse(page % (static("site.css"), request.META["REMOTE_ADDR"], request.scheme))


urlpatterns = [path("", home)]
