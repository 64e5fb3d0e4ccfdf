"""How do many appliances share one bucket, and no server? `agent` plans, `s3_store` talks, `service` is the process."""
