"""Sessions as files of other programs: NWB, video, arrays, Foxglove, Sensorium."""
