from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("board", "0004_body_alone")]
    operations = [migrations.RunSQL("ALTER TABLE board_note DROP COLUMN text")]
