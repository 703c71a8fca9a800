from django.db import migrations

from annotation_platform.states import only_moves

REVIEW = [
    ("claimed", "decided"),
    ("claimed", "queued"),
    ("claimed", "superseded"),
    ("queued", "claimed"),
    ("queued", "superseded"),
]

RUN = [
    ("queued", "cancelled"),
    ("queued", "done"),
    ("queued", "failed"),
    ("queued", "running"),
    ("running", "cancelled"),
    ("running", "done"),
    ("running", "failed"),
]


class Migration(migrations.Migration):
    dependencies = [("reviews", "0005_gold")]

    operations = [
        only_moves("reviews_review", REVIEW),
        only_moves("reviews_run", RUN),
    ]
