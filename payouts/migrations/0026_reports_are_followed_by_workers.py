"""A report is followed by a worker, and its row says how far it is."""

from django.conf import settings
from django.db import migrations, models

OLD_GUARD = """
CREATE FUNCTION payouts_guard_bank_report() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF to_jsonb(NEW) - 'followed_by_id' - 'followed_at'
            IS DISTINCT FROM to_jsonb(OLD) - 'followed_by_id' - 'followed_at'
        OR OLD.followed_at IS NOT NULL THEN
        RAISE EXCEPTION 'report %: what it says and who followed it are fixed', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER bank_report_guard BEFORE UPDATE ON payouts_bankreport
    FOR EACH ROW EXECUTE FUNCTION payouts_guard_bank_report();
"""
NO_GUARD = """
DROP TRIGGER bank_report_guard ON payouts_bankreport;
DROP FUNCTION payouts_guard_bank_report();
"""

# What was followed so far was followed to its end, at once; what became of its lines is in the log.
FOLLOWED = """
UPDATE payouts_bankreport SET follow_asked_at = followed_at, lines_done = row_count
    WHERE followed_at IS NOT NULL;
"""

# Two, because a worker writes its progress with each line: only a statement that names what was
# uploaded reads it, for it can be megabytes.
GUARDS = """
CREATE FUNCTION payouts_guard_bank_report() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'report %: what it says is fixed', OLD.id USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER bank_report_guard
    BEFORE UPDATE OF id, run_id, name, content, sha256, row_count, uploaded_by_id, uploaded_at
    ON payouts_bankreport FOR EACH ROW EXECUTE FUNCTION payouts_guard_bank_report();

CREATE FUNCTION payouts_guard_bank_report_progress() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.followed_at IS NOT NULL
        OR NEW.lines_done < OLD.lines_done
        OR (OLD.follow_asked_at IS NOT NULL
            AND (NEW.follow_asked_at, NEW.follow_asked_by_id)
                IS DISTINCT FROM (OLD.follow_asked_at, OLD.follow_asked_by_id)) THEN
        RAISE EXCEPTION
            'report %: who had it followed, what was done and how it ended are fixed', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER bank_report_progress_guard BEFORE UPDATE ON payouts_bankreport
    FOR EACH ROW EXECUTE FUNCTION payouts_guard_bank_report_progress();
"""
NO_GUARDS = """
DROP TRIGGER bank_report_guard ON payouts_bankreport;
DROP TRIGGER bank_report_progress_guard ON payouts_bankreport;
DROP FUNCTION payouts_guard_bank_report();
DROP FUNCTION payouts_guard_bank_report_progress();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("payouts", "0025_a_floor_is_not_null"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunSQL(NO_GUARD, OLD_GUARD),
        migrations.RemoveConstraint("bankreport", "bank_report_followed_by_somebody"),
        migrations.RenameField("bankreport", "followed_by", "follow_asked_by"),
        migrations.AddField(
            "bankreport",
            "follow_asked_at",
            models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            "bankreport",
            "lines_done",
            models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            "bankreport",
            "outcome",
            models.JSONField(
                blank=True,
                default=dict,
                help_text="How many were settled, failed, returned, unchanged, different or missing",
            ),
        ),
        migrations.AddField(
            "bankreport",
            "differences",
            models.JSONField(blank=True, default=list, help_text="The first 1,000, in words"),
        ),
        migrations.AlterField(
            "bankreport",
            "followed_at",
            models.DateTimeField(blank=True, help_text="To its end", null=True),
        ),
        migrations.RunSQL(FOLLOWED, migrations.RunSQL.noop),
        migrations.AddConstraint(
            "bankreport",
            models.CheckConstraint(
                condition=models.Q(follow_asked_by__isnull=True, follow_asked_at__isnull=True)
                | models.Q(follow_asked_by__isnull=False, follow_asked_at__isnull=False),
                name="bank_report_follow_asked_by_somebody",
            ),
        ),
        migrations.AddConstraint(
            "bankreport",
            models.CheckConstraint(
                condition=models.Q(lines_done=0)
                | models.Q(follow_asked_at__isnull=False, lines_done__lte=models.F("row_count")),
                name="bank_report_lines_done_are_asked_for",
            ),
        ),
        migrations.AddConstraint(
            "bankreport",
            models.CheckConstraint(
                condition=models.Q(followed_at__isnull=True)
                | models.Q(follow_asked_at__isnull=False, lines_done=models.F("row_count")),
                name="bank_report_followed_to_its_end",
            ),
        ),
        migrations.RunSQL(GUARDS, NO_GUARDS),
    ]
