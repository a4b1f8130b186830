"""What the safety governor is made of: stops in discrete time, joint limits, the arm's body, what is around it."""
