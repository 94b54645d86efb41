# syntax=docker/dockerfile:1
# Stages: requirements → environment → application → serve (the last, and so the default).
# `encoder` and `train` branch off; torch is in `encoder` only, and of it only the prepared files are kept.
#
#   docker build -t triage .
#   docker build -t triage-train --target train .
#
# Where your package index has torch only for graphics cards, `--build-arg PIP_EXTRA_INDEX_URL=…` with PyTorch's index
# of processor-only wheels saves gigabytes of download; the image is the same.

FROM debian:bookworm-slim AS base
ENV PYTHONUNBUFFERED=1
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates python3 \
    && rm -rf /var/lib/apt/lists/*

FROM base AS builder
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3-pip python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src

# The requirements by themselves: an edit elsewhere in pyproject.toml leaves the layers below as they are.
FROM builder AS requirements
COPY pyproject.toml ./
RUN python3 -c "import pathlib, tomllib; \
    project = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
    lists = {'serve': project['dependencies'], **project['optional-dependencies']}; \
    [pathlib.Path(name + '.txt').write_text('\n'.join(wanted)) for name, wanted in lists.items()]"

# What the program needs to serve, in an environment without pip.
FROM builder AS environment
RUN python3 -m venv --without-pip /opt/triage/venv
COPY constraints.txt ./
COPY --from=requirements /src/serve.txt ./
RUN --mount=type=cache,target=/root/.cache/pip \
    python3 -m pip --python /opt/triage/venv/bin/python install -c constraints.txt -r serve.txt \
    # It tells its maker of every import; nothing here calls home.
    && python3 -m pip --python /opt/triage/venv/bin/python uninstall -y openvino-telemetry \
    # 110 MB that never run here: drivers of graphics cards, the tests of numpy and scipy.
    && cd /opt/triage/venv/lib/python3*/site-packages \
    && rm -f openvino/libs/*gpu_plugin* openvino/libs/*npu_plugin* openvino/libs/cache.json \
    && find numpy scipy -type d -name tests -prune -exec rm -rf {} +

# The one wheel of this project.
FROM builder AS wheel
COPY pyproject.toml README.md LICENSE ./
COPY kb kb
COPY triage triage
RUN --mount=type=cache,target=/root/.cache/pip \
    python3 -m pip wheel --no-deps --wheel-dir /wheels .

FROM environment AS application
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels \
    python3 -m pip --python /opt/triage/venv/bin/python install --no-deps --no-index /wheels/*.whl

# The encoder as files that serve without torch. Only a change of kb or of the versions makes this again.
FROM environment AS encoder
ARG ENCODER=all-MiniLM-L6-v2
COPY --from=requirements /src/encoder.txt ./
RUN --mount=type=cache,target=/root/.cache/pip \
    python3 -m pip --python /opt/triage/venv/bin/python install -c constraints.txt torch \
    && python3 -m pip --python /opt/triage/venv/bin/python install -c constraints.txt -r encoder.txt
COPY kb kb
RUN /opt/triage/venv/bin/python -c "import kb, pathlib, sys; \
    kb.prepare_encoder(sys.argv[1], pathlib.Path('/opt/triage/encoder'))" "$ENCODER" \
    && chmod -R a=rX,u+w /opt/triage/encoder

FROM application AS training
COPY --from=requirements /src/train.txt ./
RUN --mount=type=cache,target=/root/.cache/pip \
    python3 -m pip --python /opt/triage/venv/bin/python install -c constraints.txt -r train.txt

# What `serve` and `train` share but for their environments: a user, a home, the encoder.
FROM base AS runtime
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /data --shell /usr/sbin/nologin triage \
    && install -d -o triage -g triage /data
COPY --from=encoder /opt/triage/encoder /opt/triage/encoder
# Commands that make sure of the encoder take turns on this file, also where they find it ready.
RUN install -o triage -g triage -m 600 /dev/null /opt/triage/.encoder.lock
ENV PATH=/opt/triage/venv/bin:$PATH TRIAGE_HOME=/data TRIAGE_ENCODER_PATH=/opt/triage/encoder
VOLUME /data
WORKDIR /data

FROM runtime AS train
COPY --from=training /opt/triage/venv /opt/triage/venv
USER triage
CMD ["triage", "train", "--help"]

FROM runtime AS serve
COPY --from=application /opt/triage/venv /opt/triage/venv
USER triage
EXPOSE 8000
# Without a proxy: the environment's http_proxy is not for this.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import os, urllib.request as web; web.build_opener(web.ProxyHandler({})).open('http://127.0.0.1:' + os.environ.get('TRIAGE_PORT', '8000') + '/healthz', timeout=4)"]
CMD ["triage", "serve", "--host", "0.0.0.0", "--no-worker"]
