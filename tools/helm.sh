#!/bin/sh
# Finds Helm, or builds it with Go into the cache of this project: some minutes, once. Without Go the tests of the chart are skipped.
set -u
version=v4.3.1
folder=${XDG_CACHE_HOME:-$HOME/.cache}/rollouts/helm
command -v helm >/dev/null 2>&1 && exit 0
[ -x "$folder/helm" ] && exit 0
command -v go >/dev/null 2>&1 || {
    echo "Helm is missing, and so is Go to build it with; install one of them (https://helm.sh/docs/intro/install, https://go.dev/doc/install)." >&2
    exit 1
}
echo "building Helm $version ..."
GOBIN=$folder go install "helm.sh/helm/v4/cmd/helm@$version"
