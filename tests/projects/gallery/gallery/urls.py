from django.urls import path
from gallery import views

urlpatterns = [path("", views.home), path("seen", views.seen), path("upload", views.upload)]
