from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.CreateModel(
            "Work",
            [
                ("id", models.BigAutoField(primary_key=True)),
                ("kind", models.TextField()),
                ("name", models.TextField()),
                ("origin", models.TextField()),
                ("version", models.TextField()),
                ("pid", models.IntegerField()),
                ("started", models.DateTimeField()),
                ("ended", models.DateTimeField(null=True)),
            ],
        ),
    ]
