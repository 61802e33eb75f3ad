"""A real Kubernetes control plane as programs of this machine: a small Go module, how it is built, and where its programs are."""
