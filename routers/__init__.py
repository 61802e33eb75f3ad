"""Traffic routers: one file each, pure; `ROUTERS` is the one table."""
