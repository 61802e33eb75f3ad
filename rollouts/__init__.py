"""The product: what Rollouts and Canaries become, and the tools people drive them with."""
