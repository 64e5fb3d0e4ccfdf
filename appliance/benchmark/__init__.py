"""Measurements of the machine that the appliance runs on."""
