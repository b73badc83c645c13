"""The closed loop: policies, which decide, and the safety that bounds what they may do."""
