from django.db import migrations

from annotation_platform.states import only_moves

TASK = [
    ("adjudicating", "completed"),
    ("adjudicating", "filled"),
    ("adjudicating", "open"),
    ("adjudicating", "unusable"),
    ("draft", "cancelled"),
    ("draft", "open"),
    ("filled", "adjudicating"),
    ("filled", "completed"),
    ("filled", "open"),
    ("filled", "paused"),
    ("filled", "unusable"),
    ("open", "cancelled"),
    ("open", "filled"),
    ("open", "paused"),
    ("open", "unusable"),
    ("paused", "cancelled"),
    ("paused", "filled"),
    ("paused", "open"),
    ("paused", "unusable"),
]

ASSIGNMENT = [
    ("active", "grace"),
    ("active", "released"),
    ("active", "returned"),
    ("active", "submitted"),
    ("expired", "submitted"),
    ("grace", "active"),
    ("grace", "expired"),
    ("grace", "released"),
    ("grace", "returned"),
    ("grace", "submitted"),
    ("rework", "released"),
    ("rework", "submitted"),
    ("submitted", "closed"),
    ("submitted", "rework"),
]

SUBMISSION = [
    ("in_review", "accepted"),
    ("in_review", "accepted_with_fixes"),
    ("in_review", "auto_accepted"),
    ("in_review", "changes_requested"),
    ("in_review", "paid_unused"),
    ("in_review", "rejected"),
    ("in_review", "submitted"),
    ("in_review", "unusable_confirmed"),
    ("submitted", "accepted"),
    ("submitted", "accepted_with_fixes"),
    ("submitted", "auto_accepted"),
    ("submitted", "changes_requested"),
    ("submitted", "in_review"),
    ("submitted", "paid_unused"),
    ("submitted", "rejected"),
    ("submitted", "unusable_confirmed"),
]


class Migration(migrations.Migration):
    dependencies = [("tasks", "0002_segments_append_only")]

    operations = [
        only_moves("tasks_task", TASK),
        only_moves("tasks_assignment", ASSIGNMENT),
        only_moves("tasks_submission", SUBMISSION),
    ]
