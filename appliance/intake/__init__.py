"""How a submission becomes a checked source folder: fetched or unpacked in isolation, looked through, copied."""
