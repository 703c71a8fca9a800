"""The same refusals for less: the exclusion constraint over segments took two thirds of what the
database spends on a submission of fifty (decision 0008), and six indexes served nobody.
"""

import django.db.models.deletion
from django.db import migrations, models


SEGMENTS = """
-- A submission's content never changes: its segments come in the transaction that makes it. That is
-- also what lets the check below look at finished work only: nobody else can be adding to it.
ALTER TABLE tasks_submission
    ADD COLUMN made_by_transaction xid8 NOT NULL DEFAULT pg_current_xact_id();
CREATE TRIGGER tasks_submission_stays_sealed BEFORE UPDATE OF made_by_transaction
    ON tasks_submission FOR EACH ROW EXECUTE FUNCTION platform_refuse_change();

CREATE FUNCTION tasks_segment_refusals() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong record;
    one bigint;
BEGIN
    -- Both hands are in the lane of each; no hand is a lane of its own. Sorted by start, two of a
    -- lane overlap somewhere exactly when two neighbours do.
    -- One submission at a time: by its index, whatever the planner believes of the table's size.
    FOR one IN SELECT DISTINCT submission_id FROM new_segments LOOP
        PERFORM FROM tasks_submission
            WHERE id = one AND made_by_transaction <> pg_current_xact_id();
        IF FOUND THEN
            RAISE EXCEPTION 'submission % is handed in: its segments stay as they are', one
                USING ERRCODE = 'restrict_violation', CONSTRAINT = 'segment_submission_is_sealed';
        END IF;
        SELECT start_frame INTO wrong FROM (
            SELECT start_frame, lag(end_frame) OVER (
                PARTITION BY lane ORDER BY start_frame, end_frame
            ) > start_frame AS too_early
            FROM tasks_segment CROSS JOIN (VALUES (1), (2), (4)) lanes (lane)
            WHERE submission_id = one AND (CASE WHEN hands = 0 THEN 4 ELSE hands END) & lane <> 0
        ) neighbours WHERE too_early LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'segment_no_overlap_of_one_hand: submission %, frame %',
                one, wrong.start_frame
                USING ERRCODE = 'exclusion_violation',
                    CONSTRAINT = 'segment_no_overlap_of_one_hand';
        END IF;
    END LOOP;
    RETURN NULL;
END $$;
CREATE TRIGGER segment_no_overlap_of_one_hand AFTER INSERT ON tasks_segment
    REFERENCING NEW TABLE AS new_segments
    FOR EACH STATEMENT EXECUTE FUNCTION tasks_segment_refusals();
"""

SEGMENTS_BACK = """
DROP TRIGGER segment_no_overlap_of_one_hand ON tasks_segment;
DROP FUNCTION tasks_segment_refusals();
DROP TRIGGER tasks_submission_stays_sealed ON tasks_submission;
ALTER TABLE tasks_submission DROP COLUMN made_by_transaction;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('contractors', '0004_verdict'),
        ('events', '0002_append_only'),
        ('tasks', '0010_claim_in_one_call'),
    ]

    operations = [
        migrations.RunSQL(SEGMENTS, SEGMENTS_BACK),
        migrations.RemoveConstraint(
            model_name='segment',
            name='segment_no_overlap_of_one_hand',
        ),
        migrations.AlterField(
            model_name='assignment',
            name='policy_version',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='contractors.eligibilitypolicyversion'),
        ),
        migrations.AlterField(
            model_name='assignment',
            name='price_version',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tasks.priceversion'),
        ),
        migrations.AlterField(
            model_name='assignment',
            name='residence',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='contractors.residence'),
        ),
        migrations.AlterField(
            model_name='segment',
            name='submission',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='segments', to='tasks.submission'),
        ),
        # By name: Django would drop every index on that one column, and with the foreign key's own
        # also the partial unique one that holds `submission_one_undecided_per_assignment`.
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    'DROP INDEX "tasks_submission_assignment_id_33a25ad6"',
                    'CREATE INDEX "tasks_submission_assignment_id_33a25ad6"'
                    ' ON "tasks_submission" ("assignment_id")',
                ),
            ],
            state_operations=[
                migrations.AlterField(
                    model_name='submission',
                    name='assignment',
                    field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='submissions', to='tasks.assignment'),
                ),
            ],
        ),
        migrations.AlterField(
            model_name='task',
            name='project',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='tasks', to='tasks.project'),
        ),
    ]
