"""The stimulus process: shows clips to the animal and publishes the displayed frames."""
