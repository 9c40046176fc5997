from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("board", "0002_author")]
    operations = [migrations.RunSQL("ALTER TABLE board_note ADD COLUMN author text")]
