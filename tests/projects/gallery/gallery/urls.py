from django.urls import path, re_path

from gallery import views

urlpatterns = [path("", views.home), re_path("^seen", views.seen), path("upload", views.upload)]
