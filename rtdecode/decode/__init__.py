"""From activity to video: moving-horizon MAP estimation with a frozen encoding model."""
