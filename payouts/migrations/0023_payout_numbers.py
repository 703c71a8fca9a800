"""Payouts are numbered in the person's own series, so that a restored backup arrives at the same
reference and can ask for it (docs/decisions/0009)."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

from events.triggers import append_only

RAILS = [
    ("file", "bank batch upload (CSV)"),
    ("nacha", "US bank transfer (NACHA file)"),
    ("stripe", "Stripe Connect"),
]
USED = models.Q(("state", "cancelled"), _negated=True) & models.Q(
    ("state", "failed"), ("submitted_at__isnull", True), _negated=True
)

# What is there keeps its reference; the numbers are what the series would have given it.
NUMBER = """
UPDATE payouts_payout p SET number = n.number
FROM (
    SELECT id, sum(used) OVER series + 1 - used AS number
    FROM (SELECT *, CASE WHEN state = 'cancelled' OR (state = 'failed' AND submitted_at IS NULL)
                    THEN 0 ELSE 1 END AS used FROM payouts_payout) o
    WINDOW series AS (PARTITION BY contractor_id, currency ORDER BY id)
) n WHERE n.id = p.id;
UPDATE payouts_payout p SET file_id = f.id FROM payouts_payoutfile f
WHERE f.run_id = p.run_id AND f.rail = p.rail AND p.submitted_at IS NOT NULL;
"""

# 15 characters: a NACHA entry has room for no more. 66 bits of the digest are left.
REFERENCES = """
CREATE FUNCTION payouts_reference(person uuid, currency text, number bigint) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT 'AP' || upper(substr(translate(encode(sha256(
        (person::text || ':' || currency || ':' || number)::bytea), 'base64'), '+/=', ''), 1, 13))
$$;

CREATE FUNCTION payouts_next_number(person bigint, money text) RETURNS integer
LANGUAGE sql AS $$
    SELECT coalesce(max(number), 0) + 1 FROM payouts_payout
    WHERE contractor_id = person AND currency = money
        AND NOT (state = 'cancelled') AND NOT (state = 'failed' AND submitted_at IS NULL)
$$;

CREATE FUNCTION payouts_number_payout() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.number <> payouts_next_number(NEW.contractor_id, NEW.currency)
        OR NEW.our_reference IS DISTINCT FROM payouts_reference(
            (SELECT public_id FROM contractors_contractor WHERE user_id = NEW.contractor_id),
            NEW.currency, NEW.number)
        OR NEW.state <> 'draft' OR NEW.submitted_at IS NOT NULL THEN
        RAISE EXCEPTION 'a payout begins as a draft with the next number of its person and '
            'the reference that belongs to it, not with % and %', NEW.number, NEW.our_reference
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER payout_number BEFORE INSERT ON payouts_payout
    FOR EACH ROW EXECUTE FUNCTION payouts_number_payout();

-- Beside what 0004 guards: the number, and that a rail has it (its number is used up then).
CREATE FUNCTION payouts_guard_number() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'payout %: its number, and that a rail has it, are fixed', OLD.id
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER payout_number_guard BEFORE UPDATE ON payouts_payout
    FOR EACH ROW WHEN (NEW.number <> OLD.number OR (
        OLD.submitted_at IS NOT NULL AND NEW.submitted_at IS DISTINCT FROM OLD.submitted_at))
    EXECUTE FUNCTION payouts_guard_number();
"""

REFERENCES_BACK = """
DROP TRIGGER payout_number_guard ON payouts_payout;
DROP FUNCTION payouts_guard_number();
DROP TRIGGER payout_number ON payouts_payout;
DROP FUNCTION payouts_number_payout();
DROP FUNCTION payouts_next_number(bigint, text);
DROP FUNCTION payouts_reference(uuid, text, bigint);
"""


class Migration(migrations.Migration):
    dependencies = [
        ("contractors", "0005_public_id"),
        ("payouts", "0022_report_and_tax_refusals"),
    ]

    operations = [
        migrations.AddField(
            model_name="payout",
            name="number",
            field=models.PositiveIntegerField(
                default=0,
                help_text="In the person's own series for the currency. Used up only when a rail has the payment: what came to nothing before gives its number to the next one.",
            ),
            preserve_default=False,
        ),
        migrations.AlterField(
            model_name="payout",
            name="our_reference",
            field=models.CharField(
                max_length=40,
                help_text="What the rail remembers it by, derived from person, currency and number (`payouts_reference`): a restored backup arrives at the same one, and asks for it.",
            ),
        ),
        migrations.AddField(
            model_name="payout",
            name="file",
            field=models.ForeignKey(
                blank=True,
                null=True,
                help_text="The bank file that it is in",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="payouts",
                to="payouts.payoutfile",
            ),
        ),
        migrations.AddField(
            model_name="payout",
            name="found_cents",
            field=models.BigIntegerField(
                blank=True, null=True, help_text="What a rail already paid under our reference"
            ),
        ),
        migrations.AddField(
            model_name="payout",
            name="found_rail",
            field=models.CharField(blank=True, default="", choices=RAILS, max_length=8),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="payout",
            name="found_reference",
            field=models.CharField(blank=True, default="", max_length=100),
            preserve_default=False,
        ),
        migrations.CreateModel(
            name="PayoutWitness",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "name",
                    models.CharField(
                        help_text="In the storage `witnesses`", max_length=120, unique=True
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="witnesses",
                        to="payouts.payoutrun",
                    ),
                ),
            ],
        ),
        append_only("payouts_payoutwitness"),
        migrations.RunSQL(NUMBER, migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name="payout",
            constraint=models.UniqueConstraint(
                fields=["contractor", "currency", "number"],
                condition=USED,
                name="payout_one_per_number",
            ),
        ),
        migrations.AddConstraint(
            model_name="payout",
            constraint=models.UniqueConstraint(
                fields=["our_reference"], condition=USED, name="payout_one_per_reference"
            ),
        ),
        migrations.AddConstraint(
            model_name="payout",
            constraint=models.CheckConstraint(
                condition=models.Q(found_cents__isnull=True, found_rail="")
                | (models.Q(found_cents__gt=0) & ~models.Q(found_rail="")),
                name="payout_found_is_whole",
            ),
        ),
        migrations.AddIndex(
            model_name="payout",
            index=models.Index(fields=["our_reference"], name="payout_by_reference"),
        ),
        migrations.RunSQL(REFERENCES, REFERENCES_BACK),
    ]
