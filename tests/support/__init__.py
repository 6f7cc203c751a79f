"""What tests of several rooms share: databases to run on, and waiting for a state."""
