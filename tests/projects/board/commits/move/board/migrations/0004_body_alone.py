from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("board", "0003_body")]
    operations = [
        migrations.RunSQL("UPDATE board_note SET body = text WHERE body IS NULL"),
        migrations.AlterField("Note", "body", models.TextField()),
        # The column stays for the code before this, which still uses it.
        migrations.AlterField("Note", "text", models.TextField(null=True)),
        migrations.SeparateDatabaseAndState(state_operations=[migrations.RemoveField("Note", "text")]),
    ]
