# The client without torch: the sidecar, and a base for trainers. Build from the top folder of the repository:
#   docker build -f deploy/docker/client.Dockerfile -t kube-rendezvous/client .
# BASE is any image with Python >= 3.11 and pip. The secrets are optional: a pip configuration of yours, and the
# certificates to trust at /run/secrets/certificates, if it names them; neither stays in the image.
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
WORKDIR /source
RUN ["python", "-m", "venv", "--without-pip", "/opt/kube-rendezvous"]
COPY pyproject.toml README.md LICENSE ./
COPY client client
COPY operator operator
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf --mount=type=secret,id=certificates \
    python -m pip --python /opt/kube-rendezvous/bin/python install --no-cache-dir \
    --constraint operator/constraints.txt .
# The asyncio twin of the Kubernetes client: nothing here imports it, and it is half of everything installed.
RUN rm -rf /opt/kube-rendezvous/lib/python3*/site-packages/kubernetes/aio

FROM ${BASE}
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="kube-rendezvous client" \
      org.opencontainers.image.description="Joins a Rendezvous for a pod and tells its trainer the rank: sidecar and command" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=build /opt/kube-rendezvous /opt/kube-rendezvous
ENV PATH=/opt/kube-rendezvous/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
ENTRYPOINT ["kube-rendezvous"]
