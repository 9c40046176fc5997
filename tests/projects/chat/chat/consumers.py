"""A websocket that hears what it says, by way of the channel layer."""

from channels.generic.websocket import AsyncWebsocketConsumer


class Echo(AsyncWebsocketConsumer):
    async def connect(self):
        await self.accept()

    async def receive(self, text_data=None, bytes_data=None):
        await self.channel_layer.send(self.channel_name, {"type": "hear", "text": text_data})

    async def hear(self, message):
        await self.send(text_data=f"{self.scope['scheme']} {self.scope['user']} {message['text']}")
