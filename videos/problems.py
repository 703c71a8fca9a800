"""Named refusals of this floor."""

from __future__ import annotations

from annotation_platform.api.problems import Problem


class VideoAlreadyRegistered(Problem):
    slug, status = "video-already-registered", 409
    title = "The same video is registered already."


class NotInStorage(Problem):
    slug, status = "not-in-storage", 422
    title = "There is no such object in storage."


class InvalidKey(Problem):
    slug, status = "invalid-key", 422
    title = "This is not a usable storage key."


class EmptyFile(Problem):
    slug, status = "empty-file", 422
    title = "The file is empty."


class FileTooLarge(Problem):
    slug, status = "file-too-large", 422
    title = "The file is too large."


class InvalidManifest(Problem):
    slug, status = "invalid-manifest", 422
    title = "The manifest cannot be read."


class VideoNotProbed(Problem):
    slug, status = "video-not-probed", 409
    title = "The frames of this video are not known yet."


class VideoIsRetired(Problem):
    slug, status = "video-is-retired", 409
    title = "This video is retired."


class JobIsRunning(Problem):
    slug, status = "video-job-is-running", 409
    title = "This job is running now."


class FramesNeverChange(Problem):
    slug, status = "frames-never-change", 409
    title = "A second probe counted other frames; work may depend on the first, so it stays."


class LinkNotValid(Problem):
    slug, status = "link-not-valid", 403
    title = "This link is not valid or has expired. Ask for a new one."


class NotAvailable(Problem):
    slug, status = "artefact-not-available", 404
    title = "This has not been made for the video yet."


class NothingLarger(Problem):
    slug, status = "nothing-larger", 409
    title = "The video has no larger picture than the one you see."


class UploadRefused(Problem):
    slug, status = "upload-refused", 422
    title = "The upload does not match what was announced."


class UploadGivenUp(Problem):
    slug, status = "upload-given-up", 410
    title = "The file was deleted: nobody went on with its registration."


class RegistrationHasEnded(Problem):
    slug, status = "registration-has-ended", 409
    title = "This registration has ended."


class RegistrationIsOpen(Problem):
    slug, status = "registration-is-open", 409
    title = "This registration is under way or waits for its turn."


class RegistrationIsElsewhere(Problem):
    slug, status = "registration-is-elsewhere", 409
    title = "The files of this registration are on the machine of the command that began it."
