// An animated GIF (GIF89a): one palette for all pictures, and of each only the pixels that change.

const SAME = 255; // the transparent colour: a pixel as in the picture before

/** A picture's pixels as 16 bits each: 5 of red, 6 of green, 5 of blue. */
export function reduced({ data }) {
  const pixels = new Uint16Array(data.length / 4);
  for (let i = 0; i < pixels.length; i++)
    pixels[i] = ((data[4 * i] >> 3) << 11) | ((data[4 * i + 1] >> 2) << 5) | (data[4 * i + 2] >> 3);
  return pixels;
}

// the middle of those that share the 16 bits
const channels = (colour) => [8 * (colour >> 11) + 4, 4 * ((colour >> 5) & 63) + 2, 8 * (colour & 31) + 4];

/** The 255 most frequent colours, and for each of the 65536 the place of the nearest of them. */
function palette(pictures) {
  const counts = new Uint32Array(65536);
  for (const pixels of pictures) for (const pixel of pixels) counts[pixel] += 1;
  const used = [...counts.keys()].filter((colour) => counts[colour]).sort((a, b) => counts[b] - counts[a]);
  const table = used.slice(0, SAME).map(channels), place = new Uint8Array(65536);
  for (const colour of used) {
    const [r, g, b] = channels(colour);
    let least = Infinity;
    table.forEach((c, k) => {
      const far = (c[0] - r) ** 2 + (c[1] - g) ** 2 + (c[2] - b) ** 2;
      if (far < least) { least = far; place[colour] = k; }
    });
  }
  return { table, place };
}

/** Lempel-Ziv-Welch with codes of 9 to 12 bits, in blocks of up to 255 bytes. */
function compressed(indices) {
  const CLEAR = 256, END = 257, bytes = [], known = new Map();
  let size = 9, next = 258, held = 0, bits = 0;
  const put = (code) => {
    held |= code << bits; bits += size;
    for (; bits >= 8; bits -= 8, held >>>= 8) bytes.push(held & 255);
    if (next === 1 << size && size < 12) size += 1;
  };
  put(CLEAR);
  let prefix = indices[0];
  for (let i = 1; i < indices.length; i++) {
    const key = (prefix << 8) | indices[i], code = known.get(key);
    if (code !== undefined) { prefix = code; continue; }
    put(prefix);
    if (next < 4096) known.set(key, next++);
    else { put(CLEAR); known.clear(); next = 258; size = 9; }
    prefix = indices[i];
  }
  put(prefix); put(END);
  if (bits) bytes.push(held);
  const blocks = [];
  for (let at = 0; at < bytes.length; at += 255) {
    const block = bytes.slice(at, at + 255);
    blocks.push(Uint8Array.of(block.length, ...block));
  }
  return blocks;
}

/** A Blob of pictures, as `reduced` has them; `delay` and `rest` (of the last) in hundredths of a second. */
export function gif(pictures, width, height, delay, rest) {
  const word = (n) => [n & 255, n >> 8], { table, place } = palette(pictures);
  const colours = new Uint8Array(3 * 256);
  table.forEach((colour, k) => colours.set(colour, 3 * k));
  const loop = [0x21, 0xff, 11, ..."NETSCAPE2.0"].map((c) => (typeof c === "string" ? c.charCodeAt(0) : c));
  const parts = ["GIF89a", Uint8Array.of(...word(width), ...word(height), 0xf7, 0, 0), colours, Uint8Array.of(...loop, 3, 1, 0, 0, 0)];
  pictures.forEach((pixels, k) => {
    const before = pictures[k - 1];
    const indices = Uint8Array.from(pixels, (pixel, i) => (before?.[i] === pixel ? SAME : place[pixel]));
    const shown = word(k < pictures.length - 1 ? delay : rest);
    parts.push(Uint8Array.of(0x21, 0xf9, 4, 0b101, ...shown, SAME, 0));
    parts.push(Uint8Array.of(0x2c, 0, 0, 0, 0, ...word(width), ...word(height), 0, 8), ...compressed(indices), Uint8Array.of(0));
  });
  return new Blob([...parts, Uint8Array.of(0x3b)], { type: "image/gif" });
}
