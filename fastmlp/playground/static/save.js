// What is on screen as one picture: the network, the output, and the chart of the open tab.

import { ink } from "./colours.js";

const EDGE = 10, SIDE = 300, ABOVE = 50;

/** A canvas with all of it; `names` are the runs with their tones, `caption` stands above the output. */
export async function scene(diagram, output, chart, names, caption, scale) {
  const board = diagram.place, box = board.getBoundingClientRect();
  const below = chart?.getBoundingClientRect(), canvas = document.createElement("canvas");
  const width = box.width + SIDE + 4 * EDGE, height = Math.max(box.height, ABOVE + SIDE) + 2 * EDGE;
  canvas.width = scale * Math.round(width);
  canvas.height = scale * Math.round(height + (below ? below.height + 30 : 0));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.scale(scale, scale);
  context.fillStyle = ink("--back"); context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(await drawing(diagram.svg, box), EDGE, EDGE);
  for (const one of board.querySelectorAll("canvas")) {
    const at = one.getBoundingClientRect();
    context.globalAlpha = one.classList.contains("off") ? 0.35 : 1;
    context.drawImage(one, at.left - box.left + EDGE, at.top - box.top + EDGE, at.width, at.height);
  }
  context.globalAlpha = 1;
  context.drawImage(output, box.width + 3 * EDGE, ABOVE, SIDE, SIDE);
  context.fillStyle = ink("--ink"); context.font = "13px sans-serif";
  context.fillText(caption, box.width + 3 * EDGE, ABOVE - 14, SIDE);
  if (below) {
    let x = EDGE;
    for (const [name, tone] of names) {
      context.fillStyle = tone; context.fillText(`● ${name}`, x, height + 12);
      x += context.measureText(`● ${name}`).width + 18;
    }
    context.drawImage(chart, EDGE, height + 20, below.width * Math.min(1, (width - 2 * EDGE) / below.width), below.height);
  }
  return canvas;
}

async function drawing(svg, box) {
  const copy = svg.cloneNode(true);
  const set = (selector, attributes) => copy.querySelectorAll(selector).forEach((node) => Object.entries(attributes).forEach(([name, value]) => node.setAttribute(name, value)));
  Object.entries({ xmlns: "http://www.w3.org/2000/svg", width: box.width, height: box.height }).forEach(([name, value]) => copy.setAttribute(name, value));
  copy.querySelectorAll(".touch").forEach((node) => node.remove());
  set(".link", { fill: "none" });
  set("text", { fill: ink("--soft"), "font-size": 11, "font-family": "sans-serif" });
  set("text.number", { fill: ink("--ink"), "font-size": 10, "font-family": "monospace" });
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(new XMLSerializer().serializeToString(copy))}`;
  await image.decode();
  return image;
}

export function download(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
