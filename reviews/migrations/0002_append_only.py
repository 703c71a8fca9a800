from django.db import migrations

from events.triggers import append_only


class Migration(migrations.Migration):
    dependencies = [("reviews", "0001_initial"), ("events", "0002_append_only")]

    operations = [
        append_only("reviews_scoring"),
        append_only("reviews_score"),
        append_only("reviews_decisionrule"),
        append_only("reviews_decision"),
    ]
