"""The embedded Kubernetes API server: the API machinery in memory, over HTTP or in the same process.

Start with `server.ApiServer`; `inprocess.InProcessTransport` and `http.serve` are its two front ends.
"""
