# The one image: operator, workers and everything else that the command `streammonitor` does.
#
#   docker build -t streammonitor/streammonitor .         or `make image`
#
# PYTHON_IMAGE  any image with Python 3.11 or newer as `python3`, with venv and pip
# PIP_NO_INDEX  1: take packages only from wheelhouse/, which `make wheelhouse` fills
ARG PYTHON_IMAGE=python:3.13-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ARG PIP_NO_INDEX
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_FIND_LINKS=/wheelhouse \
    PIP_ONLY_BINARY=:all: PIP_ROOT_USER_ACTION=ignore
# The pattern may match nothing; the lock files make it a valid COPY all the same.
COPY requirements.lock requirements-build.lock wheelhouse* /wheelhouse/
RUN python3 -m venv --without-pip /opt/streammonitor \
 && python3 -m venv /opt/build \
 && /opt/build/bin/python -m pip install --quiet --require-hashes \
      -r /wheelhouse/requirements-build.lock \
 && /opt/build/bin/python -m pip --python /opt/streammonitor/bin/python install --quiet \
      --require-hashes --no-compile -r /wheelhouse/requirements.lock
COPY pyproject.toml README.md LICENSE /source/
COPY api /source/api
COPY worker /source/worker
COPY operator /source/operator
COPY cli /source/cli
RUN /opt/build/bin/python -m pip wheel --quiet --no-index --no-deps --no-build-isolation \
      --wheel-dir /wheel /source \
 && /opt/build/bin/python -m pip --python /opt/streammonitor/bin/python install --quiet \
      --no-index --no-deps --no-compile /wheel/*.whl \
 && cd /opt/streammonitor/lib/python3*/site-packages \
 && find . -type d \( -name tests -o -name test \) -prune -exec rm -rf {} + \
 && find . -type f \( -name '*.pyi' -o -name '*.pxd' -o -name '*.pyx' -o -name '*.h' \
      -o -name '*.a' -o -name '*.c' \) -delete \
 && rm -rf numpy/f2py numpy/_core/lib
# Byte code of what is imported, as the root file system is read-only later.
RUN cd /tmp && PATH=/opt/streammonitor/bin:$PATH \
 && streammonitor generate clip.ts --duration 1 && streammonitor watch clip.ts >/dev/null \
 && python3 -c 'import streammonitor_operator.main, streammonitor_worker.supervisor.worker, streammonitor_worker.notify.sending, streammonitor_worker.engine, streammonitor_cli.snapshot, streammonitor_cli.fleet_drawing, opentelemetry.exporter.prometheus' \
 && streammonitor crd --file /dev/null && rm clip.ts

# What is needed at run time of the base: no package manager, no perl, nothing that installs.
FROM ${PYTHON_IMAGE} AS root
COPY --from=build /opt/streammonitor /opt/streammonitor
COPY image/trim /trim
RUN sh /trim && rm /trim

FROM scratch
COPY --from=root / /
ARG VERSION=0
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="StreamMonitor" \
      org.opencontainers.image.description="Watches live video for the people who run it" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
# HOME is a folder that may be written to where the root file system may not: mount one there. USER
# is a name for whatever user a cluster may choose, which no passwd file knows.
ENV PATH=/opt/streammonitor/bin:/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8 HOME=/tmp USER=streammonitor \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /tmp
USER 65532:65532
ENTRYPOINT ["streammonitor"]
CMD ["--help"]
