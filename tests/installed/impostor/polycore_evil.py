"""Claims the name of the good plugin; being imported is its attack."""

raise SystemExit("the impostor was imported")
