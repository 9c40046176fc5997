from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("board", "0001_notes")]
    operations = [migrations.AddField("Note", "author", models.TextField(null=True))]
