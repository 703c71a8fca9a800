"""WSGI entry point (served by granian)."""

import gc
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "annotation_platform.settings")

application = get_wsgi_application()

# What is loaded by now stays: the garbage collector need not walk over it again and again.
gc.collect()
gc.freeze()
