# syntax=docker/dockerfile:1
# Production image: web server, worker, beat and management commands are the same image.

FROM node:22-bookworm-slim AS pages
COPY web/workbench/ /src/web/workbench/
COPY docs/openapi.yaml /src/docs/
COPY timelines/lint_cases.json /src/timelines/
WORKDIR /src/web/workbench
RUN npm ci --ignore-scripts --no-audit --no-fund \
    && npm run --silent types && npm run --silent build

FROM python:3.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/venv
COPY requirements.txt /src/
RUN /opt/venv/bin/pip install --require-hashes --requirement /src/requirements.txt
COPY . /src/
COPY --from=pages /src/web/static/web/built/ /src/web/static/web/built/
# The key is only for this one command; it never reaches the image that runs.
RUN cd /src \
    && SECRET_KEY=only-for-collectstatic STATIC_ROOT=/opt/static \
       /opt/venv/bin/python manage.py collectstatic --no-input --verbosity 0
RUN /opt/venv/bin/python -m compileall -q /src /opt/venv/lib

FROM python:3.11-slim-bookworm
RUN groupadd --system --gid 10001 platform \
    && useradd --system --uid 10001 --gid platform --home-dir /srv --shell /usr/sbin/nologin platform \
    && install -d -o platform -g platform /var/lib/platform /var/lib/platform/static
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    STATIC_ROOT=/opt/static MEDIA_ROOT=/var/lib/platform/media BEAT_FILE=/tmp/beat HOST=0.0.0.0
COPY --from=build /opt/venv /opt/venv
COPY --from=build /opt/static /opt/static
COPY --from=build /src /srv
WORKDIR /srv
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "deploy/check_web.py"]
# The same line as `web` in the Procfile; `exec` makes the server the process that is signalled.
CMD ["sh", "-c", "exec granian --interface wsgi --host ${HOST:-127.0.0.1} --port ${PORT:-8000} --workers ${WEB_WORKERS:-2} --blocking-threads ${WEB_THREADS:-2} --no-ws annotation_platform.wsgi:application"]
