"""Builds what runs around the appliance: set-up of a machine, the job image, later the SD-card image."""
