from django.db import migrations

from events.triggers import append_only, refuse_change_function


class Migration(migrations.Migration):
    dependencies = [("events", "0001_initial")]

    operations = [refuse_change_function(), append_only("events_event")]
