"""A path for each application of the benchmark, for requests in flight, and for the role's health request."""

from django.urls import path

from sizing import views

urlpatterns = [
    path("", views.home),
    path("work", views.work),
    path("hold", views.hold),
    path("articles", views.articles),
    path("search", views.search),
    path("ask", views.ask),
]
