"""A cluster in a box, talked to only over the Kubernetes API."""
