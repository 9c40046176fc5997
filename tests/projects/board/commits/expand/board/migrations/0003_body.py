from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("board", "0002_author")]
    operations = [migrations.AddField("Note", "body", models.TextField(null=True))]
