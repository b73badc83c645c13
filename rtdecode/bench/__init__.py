"""The benchmarks that `rtdecode bench` runs, and the files that hold their results."""
