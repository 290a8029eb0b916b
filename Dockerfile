FROM python:3.13-slim-trixie AS build
WORKDIR /src
COPY requirements-build.txt ./
RUN pip install --no-cache-dir --disable-pip-version-check --no-deps --require-hashes --requirement requirements-build.txt
COPY pyproject.toml README.md LICENSE ./
COPY alembic alembic
COPY app app
COPY docs/guides docs/guides
COPY docs/openapi.json docs/
RUN pip wheel --no-deps --no-build-isolation --no-index --wheel-dir /dist .

FROM python:3.13-slim-trixie

ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PATH=/opt/counterclaim/bin:$PATH \
    COUNTERCLAIM_HOST=0.0.0.0 \
    DATABASE_URL=sqlite:////data/counterclaim.db

# For `counterclaim backup` and `counterclaim restore` on PostgreSQL: of the release of docker-compose.yml.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends postgresql-client-17 \
    && rm -rf /var/lib/apt/lists/*

RUN useradd --system --uid 10001 --no-create-home counterclaim \
    && install --directory --owner counterclaim /data /var/backups/counterclaim \
    && python -m venv /opt/counterclaim

WORKDIR /srv/counterclaim
COPY requirements-all.txt .
RUN pip install --no-cache-dir --disable-pip-version-check --no-deps --require-hashes --requirement requirements-all.txt

RUN --mount=from=build,source=/dist,target=/dist \
    pip install --no-cache-dir --disable-pip-version-check --no-deps --no-index /dist/*.whl

USER counterclaim
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/health/ready', timeout=2)"]
CMD ["counterclaim", "serve"]
