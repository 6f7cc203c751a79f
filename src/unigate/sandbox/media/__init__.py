"""Pictures and films that the sandbox makes, and the files that it serves. It knows no vendor and no HTTP."""
