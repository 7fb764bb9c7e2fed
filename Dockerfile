# All of crmwatch's commands. Build: docker build -t crmwatch:0.1.0 .
FROM python:3.11.14-slim-bookworm AS build
WORKDIR /src
COPY requirements.lock deploy/build.lock ./
# Every package is pinned by hash, and none is compiled: there is no compiler, and a source package runs code on install.
RUN python -m venv /opt/build && python -m venv /opt/crmwatch \
    && /opt/build/bin/pip install --no-cache-dir --only-binary :all: --require-hashes -r build.lock \
    && /opt/crmwatch/bin/pip install --no-cache-dir --only-binary :all: --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY detector detector
COPY streams streams
RUN /opt/build/bin/python -m hatchling build -t wheel -d /dist \
    && /opt/crmwatch/bin/pip install --no-cache-dir --no-index --no-deps /dist/*.whl

FROM python:3.11.14-slim-bookworm
# The console's index; a volume mounted here inherits the owner.
RUN groupadd --system --gid 10001 crmwatch \
    && useradd --system --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin crmwatch \
    && install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/crmwatch
COPY --from=build /opt/crmwatch /opt/crmwatch
USER 10001:10001
WORKDIR /tmp
ENV PATH=/opt/crmwatch/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 CRMWATCH_WORKER_METRICS_HOST=0.0.0.0
EXPOSE 9464 8321
ENTRYPOINT ["crmwatch"]
CMD ["worker"]
