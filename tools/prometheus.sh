#!/bin/sh
# Finds Prometheus, or installs it: from PATH, from .tools, or the Debian package (as root, or unpacked into .tools without).
set -u
cd "$(dirname "$0")/.." || exit 1
command -v prometheus >/dev/null 2>&1 && exit 0
[ -x .tools/prometheus/usr/bin/prometheus ] && exit 0
log=$(mktemp) && trap 'rm -f "$log"' EXIT
missing() {
    echo "Prometheus is missing and could not be installed: $1" >&2
    [ -s "$log" ] && tail -n 3 "$log" >&2
    echo "Install it (Debian: apt-get install --no-install-recommends prometheus) or put the binary on PATH, then try again." >&2
    exit 1
}
command -v apt-get >/dev/null 2>&1 || missing "there is no apt-get here"
echo "installing Prometheus ..."
if [ "$(id -u)" = 0 ]; then
    # policy-rc.d is not consulted without an init system; the package's own service is never wanted here
    (apt-get -qq update && DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -qq install --yes --no-install-recommends prometheus) \
        >"$log" 2>&1 || missing "apt-get failed"
else
    mkdir -p .tools && (cd .tools && apt-get -qq download prometheus && dpkg-deb -x prometheus_*.deb prometheus && rm -f prometheus_*.deb) \
        >"$log" 2>&1 || missing "the package could not be downloaded"
fi
command -v prometheus >/dev/null 2>&1 || [ -x .tools/prometheus/usr/bin/prometheus ] || missing "the package has no such binary"
