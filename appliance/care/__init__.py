"""Care of the appliance: what works and what doesn't, backups, settings from the page, words for whoever helps."""
