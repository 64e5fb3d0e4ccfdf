"""`python -m appliance.cli` is `raas`."""

from appliance.cli.app import main

main()
