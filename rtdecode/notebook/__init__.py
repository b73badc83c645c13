"""What `import rtdecode` offers in a notebook: sessions as arrays, the decoder, fits."""
