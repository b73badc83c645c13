// The pictures of the last minute, as they arrived, for the time at which the display is paused.

const KEPT_MS = 60000;
const MOST_BYTES = 64 * 2 ** 20;

export class PictureHistory {
  constructor() {
    this.packets = [];
    this.first = 0;
    this.bytes = 0;
  }

  get length() {
    return this.packets.length - this.first;
  }

  at(k) {
    return this.packets[this.first + k];
  }

  add(packet) {
    this.packets.push(packet);
    this.bytes += packet.decoded.buffer.byteLength;
    while (this.length > 1 && (packet.at - this.at(0).at > KEPT_MS || this.bytes > MOST_BYTES)) {
      this.bytes -= this.at(0).decoded.buffer.byteLength;
      this.packets[this.first] = null;
      this.first += 1;
    }
    // removing from the front of a long array at each frame would copy it
    if (this.first > 1024) {
      this.packets = this.packets.slice(this.first);
      this.first = 0;
    }
  }
}
