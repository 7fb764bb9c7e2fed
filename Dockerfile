# The worker. Build: docker build -t crmwatch .
FROM python:3.11.14-slim-bookworm AS build
WORKDIR /src
COPY requirements.lock pyproject.toml README.md LICENSE ./
COPY detector detector
COPY streams streams
RUN python -m venv /opt/crmwatch \
    && /opt/crmwatch/bin/pip install --no-cache-dir --require-hashes -r requirements.lock \
    && /opt/crmwatch/bin/pip install --no-cache-dir --no-deps .

FROM python:3.11.14-slim-bookworm
RUN useradd --system --uid 10001 --no-create-home crmwatch
COPY --from=build /opt/crmwatch /opt/crmwatch
USER 10001
WORKDIR /tmp
ENV PATH=/opt/crmwatch/bin:$PATH PYTHONUNBUFFERED=1 CRMWATCH_WORKER_METRICS_HOST=0.0.0.0
EXPOSE 9464
ENTRYPOINT ["crmwatch"]
CMD ["worker"]
