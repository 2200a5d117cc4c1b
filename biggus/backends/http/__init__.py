"""HTTP for backends: a client with pooled connections, limits, retries and freshness."""
