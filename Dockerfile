# The controller as an image: Python, our packages and what they need, and nothing to log in to.
#   buildah build --tag localhost/rollouts:0.1.0 .        (or docker, or podman)
# It runs as a user without rights on a read-only root file system; only /tmp is written to, by --admission.

ARG PYTHON=3.12
ARG DEBIAN=bookworm

FROM docker.io/library/python:${PYTHON}-slim-${DEBIAN} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv --without-pip /opt/rollouts
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY analysis analysis
COPY crds crds
COPY kube kube
COPY rollouts rollouts
COPY routers routers
COPY sandbox sandbox
COPY examples examples
COPY config config
# With what makes the certificate of the admission webhook.
RUN python -m pip --python /opt/rollouts/bin/python install '.[admission]'

# The interpreter, what was installed, and the libraries that both need: no shell, no package manager.
FROM docker.io/library/python:${PYTHON}-slim-${DEBIAN} AS runtime
COPY --from=build /opt/rollouts /opt/rollouts
RUN mkdir -p /image/usr/local /image/etc/ssl /image/opt /image/tmp \
    && cp -a /usr/local/bin /usr/local/lib /image/usr/local/ \
    && cp -a /opt/rollouts /image/opt/ \
    && cp -a /etc/ssl/certs /image/etc/ssl/ \
    && rm -rf /image/usr/local/lib/python*/site-packages /image/usr/local/lib/python*/test /image/usr/local/lib/python*/idlelib \
    && find /usr/local/bin /usr/local/lib /opt/rollouts -type f \( -name '*.so' -o -name '*.so.*' -o -name 'python3.*' \) \
        -exec ldd {} + 2>/dev/null | awk '/=> \// {print $3}' | sort -u | grep -v -e '^/usr/local' -e '^/opt' \
        | xargs -I{} cp -aL --parents {} /image/ \
    && cp -aL --parents /lib*/ld-linux-* /image/ \
    && printf 'nonroot:x:65532:65532::/nonexistent:/none\n' > /image/etc/passwd \
    && printf 'nonroot:x:65532:\n' > /image/etc/group \
    && printf 'hosts: files dns\n' > /image/etc/nsswitch.conf \
    && chmod 1777 /image/tmp

FROM scratch
LABEL org.opencontainers.image.title="rollouts" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=runtime /image/ /
ENV PATH=/opt/rollouts/bin:/usr/local/bin \
    LANG=C.UTF-8 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 65532:65532
EXPOSE 8080 8090 9443
ENTRYPOINT ["/opt/rollouts/bin/python", "-m", "rollouts.app"]
