"""Kind Rollout."""
