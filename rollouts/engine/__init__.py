"""What both front doors share: replicas, steps, weights, gates, scale-down, conditions."""
