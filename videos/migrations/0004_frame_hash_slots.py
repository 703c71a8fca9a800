import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """Hashes are made again by the next screening: nothing is lost by starting the table anew."""

    dependencies = [("videos", "0003_frames_never_change")]

    operations = [
        migrations.DeleteModel("FrameHash"),
        migrations.CreateModel(
            name="FrameHash",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("slot", models.PositiveSmallIntegerField(help_text="Which fraction of the video's length.")),
                ("kept", models.PositiveSmallIntegerField(help_text="Per cent of the picture, 100 is all of it.")),
                ("frame", models.PositiveIntegerField()),
                ("hash", models.BigIntegerField(help_text="64 bits, as a signed integer.")),
                ("video", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="frame_hashes", to="videos.video")),
            ],
            options={
                "indexes": [models.Index(fields=["slot", "kept"], name="frame_hash_by_slot")],
                "constraints": [
                    models.UniqueConstraint(fields=("video", "slot", "kept"), name="frame_hash_one_per_video_slot_and_crop")
                ],
            },
        ),
    ]
