"""Create the bucket of STORAGE_URL when it is not there yet. Run with the settings loaded:

python manage.py shell --no-imports < deploy/make_bucket.py
"""

from botocore.exceptions import ClientError
from django.core.files.storage import storages
from storages.backends.s3 import S3Storage

storage = storages["media"]
assert isinstance(storage, S3Storage), "STORAGE_URL does not name an object store"
client = storage.connection.meta.client
try:
    client.head_bucket(Bucket=storage.bucket_name)
except ClientError as error:
    if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
        raise
    client.create_bucket(Bucket=storage.bucket_name)
