// Which layout is shown, and the job that computes another.

import { make } from "../shared/make.js";

const LOOK_MS = 1000;
const NAMES = [["pca", "Principal components"], ["umap", "UMAP (neighbours)"]];

export class Layouts {
  // onOpen(layout): the person asks for it, or it was computed.
  constructor(server, base, onOpen) {
    this.server = server;
    this.base = base;
    this.onOpen = onOpen;
    this.state = null;
    this.wanted = false;
    const label = make("label", "pick");
    this.field = make("select", "field");
    this.field.setAttribute("aria-label", "Layout");
    for (const [value, words] of NAMES) this.field.append(new Option(words, value));
    this.field.addEventListener("change", () => this.open());
    label.append(make("span", "title", "Layout"), this.field);
    this.said = make("div", "said muted");
    this.said.setAttribute("role", "status");
    this.node = label;
  }

  get chosen() {
    return this.field.value;
  }

  open() {
    this.wanted = false;
    this.words = "";
    this.draw();
    this.onOpen(this.chosen);
  }

  // The layout that is shown has not been computed yet.
  note(missing) {
    this.wanted = missing;
    this.draw();
  }

  // head: what the server says of the points that are shown.
  tell({ fitted, images, newer, shares }) {
    this.wanted = newer > 0;
    const parts = [];
    if (shares !== null) parts.push(`The two axes show ${Math.round(100 * (shares[0] + shares[1]))}\u00a0% of the variance.`);
    if (fitted < images) parts.push(`Fitted to ${fitted.toLocaleString("en")} images; the others were placed by it.`);
    if (newer > 0) parts.push(`${newer.toLocaleString("en")} newer images are not on it.`);
    this.words = parts.join(" ");
    this.draw();
  }

  async look() {
    clearTimeout(this.timer);
    if (this.stopped) return;
    let again = null;
    try {
      const response = await fetch(`${this.base()}/map/state`, { credentials: "same-origin", cache: "no-store" });
      if (response.ok) {
        const ran = this.state !== null && this.state.job !== null;
        this.state = await response.json();
        if (this.state.job !== null) again = LOOK_MS;
        else if (ran && !this.state.failed && this.chosen === "umap") this.open();
      }
    } catch {
      again = 5 * LOOK_MS;
    }
    if (again !== null && !this.stopped) this.timer = setTimeout(() => this.look(), again);
    this.draw();
  }

  async post(path) {
    try {
      const { ok, reply } = await this.server.call(path, {});
      if (!ok) this.words = reply.reason;
    } catch {
      this.words = "The server does not answer. Try again.";
    }
    this.look();
  }

  draw() {
    this.said.replaceChildren();
    const add = (words, work) => {
      const button = make("button", "quiet", words);
      button.type = "button";
      button.addEventListener("click", work);
      this.said.append(button);
    };
    const job = this.state?.job ?? null;
    if (job !== null) {
      const bar = make("progress");
      bar.max = 1;
      bar.value = job.fraction;
      bar.setAttribute("aria-label", job.step);
      this.said.append(make("span", "", `UMAP: ${job.step}…`), bar);
      add("Cancel", () => this.post("/map/cancel"));
      return;
    }
    if (this.words) this.said.append(make("span", "", this.words));
    if (this.chosen !== "umap" || !this.wanted || this.state === null) return;
    if (this.state.missing) this.said.append(make("span", "", this.state.missing));
    else {
      if (this.state.failed) this.said.append(make("span", "", `Not computed: ${this.state.failed}`));
      add("Lay out by UMAP (takes minutes)", () => this.post("/map/compute"));
    }
  }

  dispose() {
    this.stopped = true;
    clearTimeout(this.timer);
  }
}
