"""Builds the SD-card image of the appliance, and holds what runs at its first boot."""
