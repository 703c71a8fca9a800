from django.db import migrations

# Submissions count frames of this file: once known, neither the file nor its frames may change.
FORWARDS = """
CREATE FUNCTION videos_refuse_other_frames() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.sha256 IS DISTINCT FROM NEW.sha256 OR OLD.size_bytes IS DISTINCT FROM NEW.size_bytes THEN
        RAISE EXCEPTION 'video %: its content never changes', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.frame_times IS NOT NULL AND (
        OLD.frame_times IS DISTINCT FROM NEW.frame_times
        OR OLD.frame_count IS DISTINCT FROM NEW.frame_count
        OR OLD.time_base_num IS DISTINCT FROM NEW.time_base_num
        OR OLD.time_base_den IS DISTINCT FROM NEW.time_base_den
    ) THEN
        RAISE EXCEPTION 'video %: its frames never change', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER video_frames_never_change BEFORE UPDATE ON videos_video
    FOR EACH ROW EXECUTE FUNCTION videos_refuse_other_frames();
"""
BACKWARDS = """
DROP TRIGGER video_frames_never_change ON videos_video;
DROP FUNCTION videos_refuse_other_frames();
"""


class Migration(migrations.Migration):
    dependencies = [("videos", "0002_jobs")]

    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
