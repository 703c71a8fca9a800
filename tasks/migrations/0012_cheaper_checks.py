"""The same refusals for less, once more.

PostgreSQL reads a CHECK, and the expression of a generated column, anew from its catalogue for each
statement that writes the table. Lists of states made those of a claim a quarter of what it costs;
a function is read once per connection (decision 0010). The claim itself counts what is held in the
statement that reads everything else.
"""

from importlib import import_module

from django.db import migrations, models

FACTS = """
CREATE FUNCTION tasks_task_facts_agree(
    state text, overlap integer, held_slots integer, opened_at timestamptz, ended_at timestamptz
) RETURNS boolean LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    RETURN CASE
        WHEN state = 'draft' THEN held_slots = 0 AND ended_at IS NULL
        WHEN state = 'open' THEN held_slots < overlap AND opened_at IS NOT NULL AND ended_at IS NULL
        WHEN state = 'filled' THEN
            held_slots = overlap AND opened_at IS NOT NULL AND ended_at IS NULL
        WHEN state IN ('adjudicating', 'paused') THEN opened_at IS NOT NULL AND ended_at IS NULL
        WHEN state IN ('completed', 'unusable') THEN
            opened_at IS NOT NULL AND ended_at IS NOT NULL
        WHEN state = 'cancelled' THEN ended_at IS NOT NULL  -- a draft was never open
        ELSE false
    END;
END $$;

CREATE FUNCTION tasks_assignment_facts_agree(
    state text, occupies_slot boolean, lease_expires_at timestamptz, submitted_at timestamptz,
    ended_at timestamptz
) RETURNS boolean LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    RETURN CASE
        WHEN state IN ('active', 'grace') THEN
            occupies_slot AND lease_expires_at IS NOT NULL AND ended_at IS NULL
        WHEN state = 'submitted' THEN
            occupies_slot AND lease_expires_at IS NULL AND submitted_at IS NOT NULL
            AND ended_at IS NULL
        WHEN state = 'rework' THEN
            occupies_slot AND lease_expires_at IS NOT NULL AND submitted_at IS NOT NULL
            AND ended_at IS NULL
        -- Closed work may hold its slot or have given it up.
        WHEN state = 'closed' THEN
            lease_expires_at IS NULL AND submitted_at IS NOT NULL AND ended_at IS NOT NULL
        WHEN state IN ('returned', 'expired', 'released') THEN
            NOT occupies_slot AND lease_expires_at IS NULL AND ended_at IS NOT NULL
        ELSE false
    END;
END $$;

CREATE FUNCTION tasks_submission_facts_agree(
    state text, decided_at timestamptz, screening_verdict text, segment_count integer
) RETURNS boolean LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    RETURN CASE
        WHEN state IN ('submitted', 'in_review') THEN decided_at IS NULL
        WHEN state IN (
            'accepted', 'accepted_with_fixes', 'changes_requested', 'paid_unused',
            'unusable_confirmed', 'rejected', 'auto_accepted'
        ) THEN decided_at IS NOT NULL
        ELSE false
    END AND CASE
        WHEN screening_verdict IN ('usable', 'usable_with_issues') THEN segment_count > 0
        ELSE screening_verdict = 'unusable'
    END;
END $$;

CREATE FUNCTION tasks_rank(
    priority integer, queue_order text, held_slots integer, uncertainty integer
) RETURNS integer LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    RETURN priority * -1024 + CASE queue_order
        WHEN 'breadth_first' THEN least(held_slots, 1023)
        WHEN 'depth_first' THEN 1023 - least(held_slots, 1023)
        WHEN 'uncertainty' THEN 1000 - coalesce(uncertainty, 0)
        ELSE 0
    END;
END $$;
"""

FACTS_BACK = """
DROP FUNCTION tasks_task_facts_agree(text, integer, integer, timestamptz, timestamptz);
DROP FUNCTION tasks_assignment_facts_agree(text, boolean, timestamptz, timestamptz, timestamptz);
DROP FUNCTION tasks_submission_facts_agree(text, timestamptz, text, integer);
DROP FUNCTION tasks_rank(integer, text, integer, integer);
"""

RANK = """
ALTER TABLE tasks_task ALTER COLUMN rank
    SET EXPRESSION AS (tasks_rank(priority, queue_order, held_slots, uncertainty))
"""

RANK_BACK = """
ALTER TABLE tasks_task ALTER COLUMN rank SET EXPRESSION AS (priority * -1024 + CASE
    WHEN queue_order = 'breadth_first' THEN least(held_slots, 1023)
    WHEN queue_order = 'depth_first' THEN 1023 - least(held_slots, 1023)
    WHEN queue_order = 'uncertainty' THEN 1000 - coalesce(uncertainty, 0)
    ELSE 0
END)
"""

CLAIM = """
CREATE OR REPLACE FUNCTION tasks_claim(
    for_person bigint, in_project bigint, from_rank integer, from_task bigint
) RETURNS TABLE (
    assignment_id bigint, person_id bigint, price_cents integer, screening_fee_cents integer, currency text,
    claimed_at timestamptz, lease_expires_at timestamptz, lease_ceiling_at timestamptz,
    task_id bigint, task_rank integer, project_id bigint, queue_order text, action_types jsonb,
    guideline_id bigint, guideline_version integer,
    video_id bigint, video_title text, video_key text, video_width integer, video_height integer,
    video_rotation smallint, video_frame_count integer, video_duration_ticks bigint,
    video_time_base_num integer, video_time_base_den integer,
    proxy_files jsonb, video_frame_times bytea
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    moment timestamptz;
    terms record;
    picked record;
    in_slot integer := 0;
    shares CONSTANT integer := 8;  -- tasks.models.budget.SHARES
    first_share integer := floor(random() * shares);
    share bigint;
    made bigint;
BEGIN
    -- The person first, as everywhere. It also lines up one person's claims, so that the cap holds.
    PERFORM FROM contractors_contractor
        WHERE user_id = for_person AND state IN ('active', 'restricted')
        FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    moment := clock_timestamp();

    SELECT project.live_claim_cap, project.lease_seconds, project.lease_ceiling_seconds,
        project.budget_limited, project.queue_order, project.action_types,
        price.id AS price_id, price.price_cents, price.screening_fee_cents, price.currency,
        guideline.id AS guideline_id, guideline.version AS guideline_version,
        verdict.policy_version_id, verdict.residence_id, verdict.decision,
        (SELECT count(*) FROM tasks_assignment live
         JOIN tasks_task held ON held.id = live.task_id
         WHERE live.contractor_id = for_person AND held.project_id = in_project
            AND live.state IN ('active', 'grace', 'rework')) AS live_claims
    INTO terms
    FROM tasks_project project
    CROSS JOIN LATERAL (
        SELECT id, price_cents, screening_fee_cents, currency FROM tasks_priceversion
        WHERE project_id = project.id AND effective_at <= moment
        ORDER BY number DESC LIMIT 1
    ) price
    CROSS JOIN LATERAL (
        SELECT id, version FROM tasks_guideline
        WHERE project_id = project.id AND published_at IS NOT NULL
        ORDER BY version DESC LIMIT 1
    ) guideline
    CROSS JOIN LATERAL (
        SELECT id FROM contractors_eligibilitypolicyversion
        WHERE policy_id = project.policy_id AND effective_at <= moment
        ORDER BY number DESC LIMIT 1
    ) policy
    JOIN contractors_residence residence
        ON residence.contractor_id = for_person
        AND residence.valid @> (moment AT TIME ZONE 'UTC')::date
    JOIN contractors_verdict verdict
        ON verdict.residence_id = residence.id AND verdict.policy_version_id = policy.id
        AND verdict.outcome = 'allow'
    WHERE project.id = in_project AND project.state = 'active' AND project.cool_down_seconds = 0
        AND EXISTS (
            SELECT FROM tasks_guidelineacknowledgement read
            WHERE read.contractor_id = for_person AND read.guideline_id = guideline.id
        )
        AND (NOT project.needs_qualification OR EXISTS (
            SELECT FROM tasks_qualification qualification
            WHERE qualification.contractor_id = for_person
                AND qualification.project_id = project.id AND qualification.ended_at IS NULL
        ))
        AND NOT EXISTS (
            SELECT FROM contractors_restriction restriction
            WHERE restriction.contractor_id = for_person AND restriction.lifted_at IS NULL
                AND restriction.scope IN ('all', in_project::text)
                AND restriction.starts_at <= moment
                AND (restriction.ends_at IS NULL OR restriction.ends_at > moment)
        );
    IF NOT FOUND OR terms.live_claims >= terms.live_claim_cap THEN
        RETURN;
    END IF;

    SELECT task.id, task.rank, task.overlap, task.held_slots, task.video_id
    INTO picked
    FROM tasks_task task
    WHERE task.project_id = in_project AND task.state = 'open'
        AND (task.rank, task.id) >= (from_rank, from_task)
        -- OFFSET keeps the planner from reading all that the person ever did and joining that.
        AND NOT EXISTS (
            SELECT FROM tasks_assignment had
            WHERE had.task_id = task.id AND had.contractor_id = for_person OFFSET 0
        )
    ORDER BY task.rank, task.id
    LIMIT 1
    FOR NO KEY UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    IF picked.held_slots > 0 THEN
        SELECT min(number) INTO in_slot FROM generate_series(0, picked.overlap - 1) number
        WHERE NOT EXISTS (
            SELECT FROM tasks_assignment held
            WHERE held.task_id = picked.id AND held.slot = number AND held.occupies_slot
        );
    END IF;

    IF terms.budget_limited THEN
        -- Each by its number: reading all of them would walk over every dead version of every one.
        FOR step IN 0..shares - 1 LOOP
            SELECT id INTO share FROM tasks_budgetshare
            WHERE project_id = in_project AND number = (first_share + step) % shares
                AND free_cents >= terms.price_cents
            FOR NO KEY UPDATE SKIP LOCKED;
            EXIT WHEN FOUND;
        END LOOP;
        IF share IS NULL THEN
            RETURN;
        END IF;
        UPDATE tasks_budgetshare SET free_cents = free_cents - terms.price_cents WHERE id = share;
    END IF;

    UPDATE tasks_task SET held_slots = picked.held_slots + 1,
        state = CASE WHEN picked.held_slots + 1 >= picked.overlap THEN 'filled' ELSE 'open' END
    WHERE id = picked.id;

    INSERT INTO tasks_assignment (
        task_id, contractor_id, slot, occupies_slot, state, price_version_id, price_cents,
        screening_fee_cents, currency, guideline_id, policy_version_id, residence_id, eligibility,
        claimed_at, lease_expires_at, lease_ceiling_at, end_reason
    ) VALUES (
        picked.id, for_person, in_slot, true, 'active', terms.price_id, terms.price_cents,
        terms.screening_fee_cents, terms.currency, terms.guideline_id, terms.policy_version_id,
        terms.residence_id, terms.decision, moment,
        moment + make_interval(secs => terms.lease_seconds),
        moment + make_interval(secs => terms.lease_ceiling_seconds), ''
    ) RETURNING id INTO made;

    INSERT INTO events_event (type, actor_id, subject_type, subject_id, data) VALUES (
        'assignment.claimed', for_person, 'tasks.assignment', made,
        jsonb_build_object('task_id', picked.id, 'slot', in_slot, 'price_cents', terms.price_cents)
    );

    RETURN QUERY
        SELECT made, for_person, terms.price_cents, terms.screening_fee_cents, terms.currency::text,
            moment, moment + make_interval(secs => terms.lease_seconds),
            moment + make_interval(secs => terms.lease_ceiling_seconds),
            picked.id, picked.rank, in_project, terms.queue_order::text, terms.action_types,
            terms.guideline_id, terms.guideline_version,
            video.id, video.title::text, video.key::text, video.width, video.height,
            video.rotation, video.frame_count, video.duration_ticks,
            video.time_base_num, video.time_base_den,
            (SELECT job.result -> 'files' FROM videos_videojob job
             WHERE job.video_id = video.id AND job.stage = 'proxy' AND job.result IS NOT NULL),
            video.frame_times
        FROM videos_video video WHERE video.id = picked.video_id;
END $$;
"""

CLAIM_BACK = import_module("tasks.migrations.0010_claim_in_one_call").CLAIM.replace(
    "CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1
)


class Migration(migrations.Migration):

    dependencies = [
        ('contractors', '0004_verdict'),
        ('tasks', '0011_cheaper_refusals'),
        ('videos', '0006_large_proxy'),
    ]

    operations = [
        migrations.RunSQL(FACTS, FACTS_BACK),
        migrations.RunSQL(CLAIM, CLAIM_BACK),
        migrations.RemoveConstraint(
            model_name='assignment',
            name='assignment_state_is_known',
        ),
        migrations.RemoveConstraint(
            model_name='assignment',
            name='assignment_state_agrees_with_slot',
        ),
        migrations.RemoveConstraint(
            model_name='assignment',
            name='assignment_leased_has_lease',
        ),
        migrations.RemoveConstraint(
            model_name='assignment',
            name='assignment_submitted_has_submitted_at',
        ),
        migrations.RemoveConstraint(
            model_name='assignment',
            name='assignment_ended_agrees_with_ended_at',
        ),
        migrations.RemoveConstraint(
            model_name='submission',
            name='submission_state_is_known',
        ),
        migrations.RemoveConstraint(
            model_name='submission',
            name='submission_decided_agrees_with_decided_at',
        ),
        migrations.RemoveConstraint(
            model_name='submission',
            name='submission_verdict_is_known',
        ),
        migrations.RemoveConstraint(
            model_name='submission',
            name='submission_of_usable_video_has_segments',
        ),
        migrations.RemoveConstraint(
            model_name='task',
            name='task_state_is_known',
        ),
        migrations.RemoveConstraint(
            model_name='task',
            name='task_state_agrees_with_slots',
        ),
        migrations.RemoveConstraint(
            model_name='task',
            name='task_left_draft_has_opened_at',
        ),
        migrations.RemoveConstraint(
            model_name='task',
            name='task_ended_agrees_with_ended_at',
        ),
        # Django has no step for it.
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(RANK, RANK_BACK)],
            state_operations=[
                migrations.AlterField(
                    model_name='task',
                    name='rank',
                    field=models.GeneratedField(db_persist=True, expression=models.Func('priority', 'queue_order', 'held_slots', 'uncertainty', function='tasks_rank'), output_field=models.IntegerField()),
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name='assignment',
            constraint=models.CheckConstraint(condition=models.Func('state', 'occupies_slot', 'lease_expires_at', 'submitted_at', 'ended_at', function='tasks_assignment_facts_agree', output_field=models.BooleanField()), name='assignment_state_agrees_with_facts'),
        ),
        migrations.AddConstraint(
            model_name='submission',
            constraint=models.CheckConstraint(condition=models.Func('state', 'decided_at', 'screening_verdict', 'segment_count', function='tasks_submission_facts_agree', output_field=models.BooleanField()), name='submission_state_agrees_with_facts'),
        ),
        migrations.AddConstraint(
            model_name='task',
            constraint=models.CheckConstraint(condition=models.Func('state', 'overlap', 'held_slots', 'opened_at', 'ended_at', function='tasks_task_facts_agree', output_field=models.BooleanField()), name='task_state_agrees_with_facts'),
        ),
    ]
