// What is computed of the images: predictions, near-copies and clusters; and the jobs that compute it.

const WATCH_MS = 1000; // between two looks at what is computed

export class Computing {
  constructor(gallery) {
    this.gallery = gallery;
    this.state = null; // as the server said; null before that
    this.counts = { cluster: {} };
    this.timer = null;
  }

  async look() {
    const { gallery } = this;
    clearTimeout(this.timer);
    if (gallery.stopped) return;
    let again = null;
    try {
      const { ok, reply } = await gallery.server.call("/images/state", {});
      if (gallery.stopped) return;
      if (ok) {
        const ended = this.state !== null && this.state.jobs.length > 0 && reply.jobs.length === 0;
        const fresh = this.state === null || ended;
        this.state = reply;
        if (reply.jobs.length > 0) again = WATCH_MS;
        if (fresh && reply.clusters > 0) this.readClusters();
        if (ended) gallery.open(gallery.bar.query());
      }
    } catch {
      again = 5 * WATCH_MS;
    }
    if (again !== null) this.timer = setTimeout(() => this.look(), again);
    gallery.draw();
  }

  async readClusters() {
    const { gallery } = this;
    const { ok, reply } = await gallery.server.call("/images/counts", { query: {} });
    if (!ok || gallery.stopped) return;
    this.counts = reply;
    gallery.bar.offer(gallery.data, Object.keys(reply.cluster));
  }

  async start(what, parts = false) {
    const { gallery } = this;
    const { ok, reply } = await gallery.server.call("/images/compute", { what, parts });
    if (!ok) gallery.say(reply.reason);
    this.look();
  }

  dispose() {
    clearTimeout(this.timer);
  }
}
