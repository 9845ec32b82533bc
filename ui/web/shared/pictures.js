// Pictures ahead of their turn, decoded, at the size that the screen needs.

const AT_ONCE = 4; // pictures on their way at the same time: an answer does not wait behind more
const KEEP = 16; // pictures kept for take-backs
const RETRY_MS = 1500;
const LOOK = 32; // pixels a side that are looked at for transparency

// The smallest side whose rendition has as many pixels as an area of the screen, else the largest side.
export function sideFor(area, sides) {
  return sides.find((side) => side * side >= area) ?? sides[sides.length - 1];
}

export class Pictures {
  // onReady(url): the picture can be painted at once. onMissing(url): the server is there and has no such
  // picture. side() gives the side of the renditions that are asked for.
  constructor({ onReady, onMissing, side }) {
    this.onReady = onReady;
    this.onMissing = onMissing;
    this.side = side;
    this.cache = new Map();
    this.ahead = []; // addresses of those that wait, in order
    this.stopped = false;
  }

  // What is known of the picture at this address: {picture, ready, transparent}. It loads, and tries again
  // until it has loaded. The address is that of the full size.
  get(url) {
    let found = this.cache.get(url);
    if (found === undefined) {
      const picture = document.createElement("img");
      const address = `${url}&side=${this.side()}`;
      found = { picture, address, ready: false, transparent: false };
      picture.decoding = "sync";
      picture.draggable = false;
      picture.addEventListener("load", () => this.prepare(url, found));
      picture.addEventListener("error", () => this.retry(url, found));
      picture.src = address;
    }
    this.cache.delete(url); // the order of the map is the order of use
    this.cache.set(url, found);
    return found;
  }

  async prepare(url, found) {
    try {
      await found.picture.decode(); // so that painting it takes no time
    } catch {
      return this.retry(url, found);
    }
    found.transparent = isTransparent(found.picture);
    found.ready = true;
    if (this.stopped) return;
    this.onReady(url);
    this.fetchAhead();
  }

  async retry(url, found) {
    try {
      const response = await fetch(found.address, { credentials: "same-origin", cache: "no-store" });
      if (response.status === 404 && !this.stopped) this.onMissing(url);
    } catch {
      // No connection: the answer to that is to try again.
    }
    setTimeout(() => {
      if (!this.stopped && this.cache.get(url) === found) found.picture.src = found.address;
    }, RETRY_MS);
  }

  // All that wait are fetched, a few at a time, so that a short outage stops nobody.
  prefetch(urls) {
    this.ahead = urls;
    for (const url of urls.slice(0, AT_ONCE)) this.get(url);
    this.fetchAhead();
    const past = [...this.cache.keys()].filter((url) => !urls.includes(url));
    for (const url of past.slice(0, Math.max(0, past.length - KEEP))) this.cache.delete(url);
  }

  fetchAhead() {
    let coming = [...this.cache.values()].filter((found) => !found.picture.complete).length;
    for (const url of this.ahead) {
      if (this.stopped || coming >= AT_ONCE) return;
      if (this.cache.has(url)) continue;
      this.get(url);
      coming += 1;
    }
  }

  dispose() {
    this.stopped = true;
    this.cache.clear();
  }
}

// Whether a part of a loaded picture lets the page through.
function isTransparent(picture) {
  const canvas = document.createElement("canvas");
  canvas.width = LOOK;
  canvas.height = LOOK;
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  if (pen === null) return false;
  pen.drawImage(picture, 0, 0, LOOK, LOOK);
  const pixels = pen.getImageData(0, 0, LOOK, LOOK).data;
  for (let at = 3; at < pixels.length; at += 4) if (pixels[at] < 255) return true;
  return false;
}
