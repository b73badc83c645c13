// The microscope tab: field of view, ROIs and traces. Packets of kind 3 and above come here.

export function receiveMicroscope(_kind, _buffer) {}

export function showMicroscope(_message) {}
