"""Kind Experiment: stored so that manifests apply, and refused in its status until it is served."""
