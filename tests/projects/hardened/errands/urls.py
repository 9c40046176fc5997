from django.urls import path

from errands import views

urlpatterns = [
    path("", views.home),
    path("upload", views.upload),
    path("errands/<name>", views.errand),
]
