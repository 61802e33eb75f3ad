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
# With what makes the certificate of the admission webhook, and with what sends traces.
RUN python -m pip --python /opt/rollouts/bin/python install '.[admission,traces]'

# The interpreter, what was installed, and the libraries that both need: no shell, no package manager. Python's own modules come
# without bytecode in the base image, and nobody can write it later; the last line shows that nothing is missing.
FROM docker.io/library/python:${PYTHON}-slim-${DEBIAN} AS runtime
COPY --from=build /opt/rollouts /image/opt/rollouts
RUN set -eu; \
    mkdir -p /image/usr/local/bin /image/usr/local/lib /image/etc/ssl/certs /image/tmp; \
    cp -a /usr/local/bin/python /usr/local/bin/python3 /usr/local/bin/python3.*[0-9] /image/usr/local/bin/; \
    cp -a /usr/local/lib/libpython3* /usr/local/lib/python3.* /image/usr/local/lib/; \
    cd /image/usr/local/lib/python3.*; \
    rm -rf site-packages ensurepip venv test idlelib lib2to3 tkinter turtledemo pydoc_data config-*; \
    python -m compileall -q --invalidation-mode unchecked-hash . ; \
    cd /; \
    find /image/opt/rollouts/bin -type f ! -name rollouts ! -name 'kubectl-*' -delete; \
    find /image/opt/rollouts/lib/python3.*/site-packages/kubernetes -name __pycache__ -prune -exec rm -r {} +; \
    find /image -type f \( -name '*.so' -o -name '*.so.*' -o -name 'python3.*' \) -exec ldd {} + 2>/dev/null \
        | awk '/=> \// {print $3}' | sort -u | grep -v -e '^/usr/local' -e '^/image' | xargs -I{} cp -aL --parents {} /image/; \
    cp -aL --parents /lib*/ld-linux-* /etc/ssl/certs/ca-certificates.crt /image/; \
    cp -a --parents /etc/ld.so.conf /etc/ld.so.conf.d /image/; \
    ldconfig -r /image; \
    printf 'nonroot:x:65532:65532::/nonexistent:/none\n' > /image/etc/passwd; \
    printf 'nonroot:x:65532:\n' > /image/etc/group; \
    printf 'hosts: files dns\n' > /image/etc/nsswitch.conf; \
    chmod 1777 /image/tmp; \
    chroot --userspec=65532:65532 /image /opt/rollouts/bin/python -B -m rollouts.app --help > /dev/null

FROM scratch
LABEL org.opencontainers.image.title="rollouts" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=runtime /image/ /
ENV PATH=/opt/rollouts/bin:/usr/local/bin \
    LANG=C.UTF-8 \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 65532:65532
EXPOSE 8080 8090 9443
ENTRYPOINT ["/opt/rollouts/bin/python", "-m", "rollouts.app"]
