from django.urls import path

from chat.consumers import Echo

websocket_urlpatterns = [path("echo", Echo.as_asgi())]
