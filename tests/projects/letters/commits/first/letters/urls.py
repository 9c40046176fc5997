from django.urls import path

from letters import views

urlpatterns = [path("", views.home), path("order", views.order)]
