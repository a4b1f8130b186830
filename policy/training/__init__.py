"""Training of learned policies on demonstrations, with LeRobot's own classes; nothing here is imported at run time."""
