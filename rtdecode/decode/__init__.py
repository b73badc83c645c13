"""From activity to video: sliding-window inversion of a frozen encoding model."""
