from django.db import migrations

from events.triggers import append_only


class Migration(migrations.Migration):
    dependencies = [("tasks", "0001_initial"), ("events", "0002_append_only")]

    operations = [append_only("tasks_segment"), append_only("tasks_priceversion")]
