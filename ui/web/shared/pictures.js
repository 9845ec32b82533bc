// Pictures ahead of their turn, and the one on screen at a size that suits it.

const PREFETCH = 4;
const KEEP = 16; // pictures kept for take-backs
const TINY = 160; // px; a picture with no longer side is shown as crisp squares
const TINY_SHOWN = 460; // px; larger squares are harder to read, not easier
const RETRY_MS = 1500;

export class Pictures {
  // onMissing(url): the server is there and has no such picture.
  constructor(onReady, onMissing) {
    this.onReady = onReady;
    this.onMissing = onMissing;
    this.cache = new Map();
    this.stopped = false;
  }

  // The element for this address; it loads, and tries again until it has loaded.
  get(url) {
    let picture = this.cache.get(url);
    if (picture === undefined) {
      picture = document.createElement("img");
      picture.decoding = "sync";
      picture.draggable = false;
      picture.addEventListener("load", () => this.onReady(url));
      picture.addEventListener("error", () => this.retry(url, picture));
      picture.src = url;
    }
    this.cache.delete(url); // the order of the map is the order of use
    this.cache.set(url, picture);
    return picture;
  }

  async retry(url, picture) {
    try {
      const response = await fetch(url, { credentials: "same-origin", cache: "no-store" });
      if (response.status === 404 && !this.stopped) this.onMissing(url);
    } catch {
      // No connection: the answer to that is to try again.
    }
    setTimeout(() => {
      if (!this.stopped && this.cache.get(url) === picture) picture.src = url;
    }, RETRY_MS);
  }

  prefetch(urls) {
    for (const url of urls.slice(0, PREFETCH)) this.get(url);
    for (const url of [...this.cache.keys()].slice(0, Math.max(0, this.cache.size - KEEP))) {
      if (!urls.includes(url)) this.cache.delete(url);
    }
  }

  static loaded(picture) {
    return picture.complete && picture.naturalWidth > 0;
  }

  // Whole multiples keep the squares of a tiny picture equal; larger ones fill the frame.
  static fit(picture, frame) {
    const style = getComputedStyle(frame);
    const width = frame.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    const height = frame.clientHeight - parseFloat(style.paddingTop) - parseFloat(style.paddingBottom);
    const natural = Math.max(picture.naturalWidth, picture.naturalHeight);
    if (natural === 0 || width <= 0 || height <= 0) return;
    const scale = Math.min(width / picture.naturalWidth, height / picture.naturalHeight);
    const tiny = natural <= TINY;
    const most = Math.max(1, TINY_SHOWN / natural);
    const used = tiny && scale >= 2 ? Math.floor(Math.min(scale, most)) : scale;
    picture.style.width = `${Math.round(picture.naturalWidth * used)}px`;
    picture.style.height = `${Math.round(picture.naturalHeight * used)}px`;
    picture.classList.toggle("tiny", tiny);
  }

  dispose() {
    this.stopped = true;
    this.cache.clear();
  }
}
