// A list of images on the server, of which parts are here. All parts are as of the moment of the first.

const PAGE = 96;
const AT_ONCE = 3; // requests under way

export class ImageList {
  // server: Server; onChange(): a part came, or the list ended badly.
  constructor(server, onChange) {
    this.server = server;
    this.onChange = onChange;
    this.generation = 0;
    this.clear({});
  }

  clear(query) {
    this.generation += 1;
    for (const wish of this.waiting ?? []) wish.resolve(); // whoever waits goes on, and sees another generation
    this.query = query;
    this.total = null; // null: not known yet
    this.cursor = null;
    this.problem = null; // {code, reason}
    this.items = new Map(); // place in the list -> image
    this.places = new Map(); // id of an image -> place
    this.pages = new Map(); // number of a page -> promise
    this.waiting = [];
    this.held = new Set(); // numbers of pages that an act needs
    this.underWay = 0;
  }

  open(query) {
    this.clear(query);
    return this.page(0);
  }

  at(place) {
    return this.items.get(place) ?? null;
  }

  // Load what stands at these places; the newest wish is served first.
  async ensure(first, last) {
    if (this.total === null) return this.page(0);
    const end = Math.min(last, this.total - 1);
    const wanted = [];
    for (let page = Math.floor(first / PAGE); page <= Math.floor(end / PAGE); page += 1) wanted.push(this.page(page));
    await Promise.all(wanted);
  }

  // Load what stands at these places for an act: the view forgets none of it meanwhile. Whether the list is still
  // that of `generation`: in another list, other images stand there.
  async read(places, generation) {
    const missing = places.filter((place) => this.at(place) === null);
    const { held } = this;
    const pages = [...new Set(missing.map((place) => Math.floor(place / PAGE)))];
    for (const number of pages) held.add(number);
    await Promise.all(pages.map((number) => this.page(number)));
    for (const number of pages) held.delete(number);
    return generation === this.generation;
  }

  page(number) {
    if (!this.pages.has(number)) {
      const generation = this.generation;
      const loaded = new Promise((resolve) => this.waiting.push({ number, generation, resolve }));
      this.pages.set(number, loaded);
      this.pump();
    }
    return this.pages.get(number);
  }

  // Forget wishes that nobody looks at any more.
  drop(first, last) {
    const seen = ({ number }) => number >= Math.floor(first / PAGE) && number <= Math.floor(last / PAGE);
    const kept = (wish) => seen(wish) || this.held.has(wish.number);
    for (const wish of this.waiting.filter((each) => !kept(each))) {
      this.pages.delete(wish.number);
      wish.resolve();
    }
    this.waiting = this.waiting.filter(kept);
  }

  pump() {
    while (this.waiting.length > 0 && this.underWay < AT_ONCE) {
      const wish = this.waiting.pop();
      this.underWay += 1;
      this.load(wish).finally(() => {
        wish.resolve();
        if (wish.generation !== this.generation) return;
        this.underWay -= 1;
        this.pump();
      });
    }
  }

  async load({ number, generation }) {
    const body = { query: this.query, start: number * PAGE, limit: PAGE };
    if (this.cursor !== null) body.cursor = this.cursor;
    let answer;
    try {
      answer = await this.server.call("/images", body);
    } catch {
      answer = { ok: false, reply: { code: "offline", reason: "The server does not answer." } };
    }
    if (generation !== this.generation) return;
    const { ok, reply } = answer;
    if (!ok) {
      this.pages.delete(number);
      this.problem = { code: reply.code, reason: reply.reason };
    } else {
      this.problem = null;
      this.total = reply.total;
      this.cursor = this.cursor ?? reply.cursor;
      reply.images.forEach((image, n) => {
        this.items.set(reply.start + n, image);
        this.places.set(image.id, reply.start + n);
      });
    }
    this.onChange();
  }

  // What the server says of images now, such as after an act.
  renew(images) {
    for (const image of images) {
      const place = this.places.get(image.id);
      if (place === undefined) continue;
      this.items.set(place, { ...image, similarity: this.items.get(place).similarity });
    }
  }
}
