"""Container health check: exit status 0 when /health/ answers 200 on this machine."""

import os
import sys
import urllib.request

request = urllib.request.Request(
    f"http://127.0.0.1:{os.environ.get('PORT', '8000')}/health/",
    # With HTTPS=1 a request that did not come over TLS would be redirected.
    headers={"Host": "localhost", "X-Forwarded-Proto": "https"},
)
with urllib.request.urlopen(request, timeout=4) as answer:
    sys.exit(answer.status != 200)
