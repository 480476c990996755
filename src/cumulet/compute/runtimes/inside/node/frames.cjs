// Frames on the channel to the platform: one byte of kind, two lengths, header, payload. See compute/channel.py.
'use strict';

const net = require('net');

const HEAD = 9;
const KIND = { READY: 2, INIT_ERROR: 3, RESPONSE: 4, ERROR: 5, LAST_ERROR: 7, BEGIN: 8, PART: 9, FAULT: 10, WORKER_ENDED: 11 };

/** The runtime's end of the channel. While `resting` it keeps the process alive; while not, an idle loop may be seen. */
class Channel {
  constructor(descriptor, onEvent) {
    this.onEvent = onEvent;
    this.parts = [];
    this.size = 0;
    this.needed = HEAD;
    this.socket = new net.Socket({ fd: descriptor, readable: true, writable: true });
    this.socket.on('data', (data) => this.receive(data));
    this.socket.on('error', () => process.reallyExit(0));
    this.socket.on('end', () => process.reallyExit(0)); // the platform is gone
  }

  rest() {
    this.socket.ref();
  }

  work() {
    this.socket.unref();
  }

  send(kind, text, done) {
    const length = Buffer.byteLength(text);
    const frame = Buffer.allocUnsafe(HEAD + length);
    frame.writeUInt8(kind, 0);
    frame.writeUInt32BE(0, 1);
    frame.writeUInt32BE(length, 5);
    frame.write(text, HEAD, 'utf8');
    this.socket.write(frame, done);
  }

  /** `data` is a buffer; `done` is called when it is on its way. */
  sendPart(kind, data, done) {
    const head = Buffer.allocUnsafe(HEAD);
    head.writeUInt8(kind, 0);
    head.writeUInt32BE(0, 1);
    head.writeUInt32BE(data.length, 5);
    this.socket.cork();
    this.socket.write(head);
    this.socket.write(data, done);
    this.socket.uncork();
  }

  receive(data) {
    this.parts.push(data);
    this.size += data.length;
    while (this.size >= this.needed) {
      let whole = this.parts.length === 1 ? this.parts[0] : Buffer.concat(this.parts, this.size);
      const headerEnd = HEAD + whole.readUInt32BE(1);
      this.needed = headerEnd + whole.readUInt32BE(5);
      if (whole.length < this.needed) {
        this.parts = [whole];
        return;
      }
      const header = JSON.parse(whole.toString('utf8', HEAD, headerEnd));
      const event = whole.toString('utf8', headerEnd, this.needed);
      whole = whole.subarray(this.needed);
      this.parts = whole.length ? [whole] : [];
      this.size = whole.length;
      this.needed = HEAD;
      this.onEvent(header, event);
    }
  }
}

module.exports = { Channel, KIND };
