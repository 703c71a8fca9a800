"""The claim and the hand-in, each in one call: see `tasks.services.fast_claim` and `fast_submit`.

In a function every statement sees what committed before it, so what is read after a lock was got
is never older than the lock. (One statement with the same parts would read by a snapshot from
before it waited.)
"""

from django.db import migrations

CLAIM = """
CREATE FUNCTION tasks_claim(
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
        verdict.policy_version_id, verdict.residence_id, verdict.decision
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
    IF NOT FOUND THEN
        RETURN;
    END IF;

    IF terms.live_claim_cap <= (
        SELECT count(*) FROM tasks_assignment live
        JOIN tasks_task held ON held.id = live.task_id
        WHERE live.contractor_id = for_person AND held.project_id = in_project
            AND live.state IN ('active', 'grace', 'rework')
    ) THEN
        RETURN;
    END IF;

    SELECT task.id, task.rank, task.overlap, task.held_slots, task.video_id
    INTO picked
    FROM tasks_task task
    WHERE task.project_id = in_project AND task.state = 'open'
        AND (task.rank, task.id) >= (from_rank, from_task)
        AND NOT EXISTS (
            SELECT FROM tasks_assignment had
            WHERE had.task_id = task.id AND had.contractor_id = for_person
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

SUBMIT = """
CREATE FUNCTION tasks_submit(
    by_person bigint, of_assignment bigint, used_types text[],
    starts integer[], ends integer[], hand_masks smallint[], types text[], descriptions text[]
) RETURNS TABLE (
    submission_id bigint, round smallint, frame_count integer, submitted_at timestamptz,
    task_id bigint, event_id bigint
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    facts record;
    moment timestamptz;
    rounds smallint;
    revision_then integer;
    made bigint;
    told bigint;
BEGIN
    SELECT assignment.task_id, assignment.contractor_id, video.frame_count, project.action_types
    INTO facts
    FROM tasks_assignment assignment
    JOIN tasks_task task ON task.id = assignment.task_id
    JOIN tasks_project project ON project.id = task.project_id
    JOIN videos_video video ON video.id = task.video_id
    WHERE assignment.id = of_assignment AND assignment.contractor_id = by_person;
    -- What can be judged without the task was judged before; these two need it.
    IF NOT FOUND
        OR facts.frame_count < (SELECT max(frame) FROM unnest(ends) frame)
        OR EXISTS (
            SELECT FROM unnest(used_types) used
            WHERE NOT facts.action_types @> jsonb_build_array(jsonb_build_object('key', used))
        )
    THEN
        RETURN;
    END IF;

    -- Task before assignment, as everywhere.
    PERFORM FROM tasks_task WHERE id = facts.task_id FOR NO KEY UPDATE;
    moment := clock_timestamp();
    UPDATE tasks_assignment
    SET state = 'submitted', submitted_at = moment, lease_expires_at = NULL
    WHERE id = of_assignment AND contractor_id = by_person
        AND state IN ('active', 'grace', 'rework');
    IF NOT FOUND THEN
        RETURN;
    END IF;

    SELECT count(*) + 1 INTO rounds FROM tasks_submission WHERE assignment_id = of_assignment;
    SELECT revision INTO revision_then FROM tasks_draft
        WHERE task_id = facts.task_id AND contractor_id = by_person;
    INSERT INTO tasks_submission (
        assignment_id, round, state, screening_verdict, screening, frame_count, segment_count,
        draft_revision, submitted_at
    ) VALUES (
        of_assignment, rounds, 'submitted', 'usable', '{}', facts.frame_count,
        cardinality(starts), revision_then, moment
    ) RETURNING id INTO made;
    INSERT INTO tasks_segment (
        submission_id, position, start_frame, end_frame, hands, action_type, description
    )
    SELECT made, row.number - 1, row.start_frame, row.end_frame, row.hands, row.action_type,
        row.description
    FROM unnest(starts, ends, hand_masks, types, descriptions) WITH ORDINALITY
        AS row (start_frame, end_frame, hands, action_type, description, number);
    INSERT INTO events_event (type, actor_id, subject_type, subject_id, data) VALUES (
        'assignment.submitted', by_person, 'tasks.assignment', of_assignment,
        jsonb_build_object(
            'task_id', facts.task_id, 'submission_id', made, 'round', rounds, 'verdict', 'usable'
        )
    ) RETURNING id INTO told;
    RETURN QUERY SELECT made, rounds, facts.frame_count, moment, facts.task_id, told;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("tasks", "0009_screening_thresholds"), ("videos", "0005_uploads")]

    operations = [
        migrations.RunSQL(
            CLAIM, "DROP FUNCTION tasks_claim(bigint, bigint, integer, bigint)"
        ),
        migrations.RunSQL(
            SUBMIT,
            "DROP FUNCTION tasks_submit("
            "bigint, bigint, text[], integer[], integer[], smallint[], text[], text[])",
        ),
    ]
