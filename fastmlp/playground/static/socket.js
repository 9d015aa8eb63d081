// One question, one answer, in order; connects again when the connection is lost.

export class Socket {
  constructor(onOpen, onLost) {
    this.onOpen = onOpen;
    this.onLost = onLost;
    this.waiting = [];
    this.tries = 0;
    this.connect();
  }

  connect() {
    const token = new URLSearchParams(location.search).get("token") ?? "";
    const socket = new WebSocket(`ws://${location.host}/ws?token=${encodeURIComponent(token)}`);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => { this.tries = 0; this.onOpen(); };
    socket.onmessage = (event) => {
      const next = this.waiting.shift();
      if (!next) return;
      const answer = typeof event.data === "string" ? JSON.parse(event.data) : decode(event.data);
      if (answer.type === "error") next.fail(new Error(answer.message));
      else next.done(answer);
    };
    socket.onclose = (event) => {
      const lost = this.waiting.splice(0);
      const text = event.code === 1009 ? "That was too large to send: 2 MB at most." : "The connection was lost.";
      lost.forEach((one) => one.fail(new Error(text)));
      this.onLost(event.code);
      setTimeout(() => this.connect(), Math.min(200 * 2 ** this.tries++, 5000));
    };
    this.socket = socket;
  }

  ask(message) {
    return new Promise((done, fail) => {
      if (this.socket.readyState !== WebSocket.OPEN) { fail(new Error("There is no connection.")); return; }
      this.waiting.push({ done, fail });
      this.socket.send(JSON.stringify(message));
    });
  }
}

// uint32 length | JSON, padded to 8 | arrays, each padded to 8
export function decode(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const arrays = {};
  for (const { name, type, shape, at } of header.arrays) {
    const size = shape.reduce((a, b) => a * b, 1);
    const Kind = type === "u1" ? Uint8Array : Float32Array;
    arrays[name] = { data: new Kind(buffer, 4 + length + at, size), shape };
  }
  return { ...header, arrays };
}
