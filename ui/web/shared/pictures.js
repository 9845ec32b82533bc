// Pictures ahead of their turn, and the one on screen at a size that suits it.

const AT_ONCE = 4; // pictures on their way at the same time: an answer does not wait behind more
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
    this.ahead = []; // addresses of those that wait, in order
    this.stopped = false;
  }

  // The element for this address; it loads, and tries again until it has loaded.
  get(url) {
    let picture = this.cache.get(url);
    if (picture === undefined) {
      picture = document.createElement("img");
      picture.decoding = "sync";
      picture.draggable = false;
      picture.addEventListener("load", () => {
        this.onReady(url);
        this.fetchAhead();
      });
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

  // All that wait are fetched, a few at a time, so that a short outage stops nobody.
  prefetch(urls) {
    this.ahead = urls;
    for (const url of urls.slice(0, AT_ONCE)) this.get(url);
    this.fetchAhead();
    const past = [...this.cache.keys()].filter((url) => !urls.includes(url));
    for (const url of past.slice(0, Math.max(0, past.length - KEEP))) this.cache.delete(url);
  }

  fetchAhead() {
    let coming = [...this.cache.values()].filter((picture) => !picture.complete).length;
    for (const url of this.ahead) {
      if (this.stopped || coming >= AT_ONCE) return;
      if (this.cache.has(url)) continue;
      this.get(url);
      coming += 1;
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
