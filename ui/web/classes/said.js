// What names and prompts alone say of twelve images with the drafted classes, and how often they are right.

import { make, say } from "../shared/make.js";
import { named, press } from "./fields.js";

const percent = (share) => `${(100 * share).toFixed(0)}\u00a0%`;
const exact = (share) => (100 * share).toFixed(1).replace("-", "−"); // as the pages of Python write it

export class Said {
  // onOthers(): show other images.
  constructor(onOthers) {
    this.node = make("section", "said-by-model");
    this.node.setAttribute("aria-label", "What the model says");
    const head = make("div", "said-head");
    head.append(make("h2", "", "What the model says"), press("12 other images", onOthers));
    this.state = make("p", "muted state");
    this.state.setAttribute("role", "status");
    this.accuracy = make("div", "accuracy");
    this.grid = make("ul", "twelve");
    this.node.append(head, this.state, this.accuracy, this.grid);
  }

  wait() {
    this.node.dataset.state = "waiting";
    this.state.textContent = "The model reads the names …";
  }

  say(words) {
    this.node.dataset.state = "said";
    say(this.state, words);
  }

  // reply: of /classes/preview, without faults. names: of the draft.
  show(reply, names) {
    this.node.dataset.state = "shown";
    if (reply.reason) {
      say(this.state, reply.reason);
      this.grid.replaceChildren();
      this.accuracy.replaceChildren();
      return;
    }
    this.state.textContent = "What names and prompts alone predict, on images of the pool drawn at random.";
    this.grid.replaceChildren(...reply.images.map((image, n) => this.card(image, n, names)));
    this.accuracy.replaceChildren(...reply.accuracy.flatMap((each) => this.change(each)));
  }

  card(image, n, names) {
    const item = make("li");
    const picture = make("img");
    picture.src = image.url;
    picture.alt = `Image ${n + 1} of the preview`;
    picture.decoding = "async";
    const list = make("ol", "top");
    for (const [place, share] of image.top) {
      const line = make("li");
      line.style.setProperty("--share", `${100 * share}%`);
      line.append(named(names[place], "name"), make("span", "share", percent(share)));
      list.append(line);
    }
    item.append(picture, list);
    return item;
  }

  change({ role, images, now, then, difference }) {
    const where = role === "audit" ? "images of the audit set" : "labelled images of the pool";
    const table = make("table");
    table.append(make("caption", "", `Accuracy by names and prompts alone, on ${images.toLocaleString("en")} ${where}`));
    const rows = [["Present list", now, "\u00a0%"], ["These classes and prompts", then, "\u00a0%"], ["Change", difference, "\u00a0points"]];
    for (const [title, [value, low, high], unit] of rows) {
      const line = make("tr");
      const head = make("th", "", title);
      head.scope = "row";
      const sign = unit === "\u00a0points" && value > 0 ? "+" : "";
      line.append(head, make("td", "", `${sign}${exact(value)}${unit}`), make("td", "muted", `95\u00a0% interval ${exact(low)} to ${exact(high)}`));
      table.append(line);
    }
    const limit = role === "audit"
      ? "The page Curves may show another accuracy before any label: with the usual learning method, the model also uses how the images of the pool lie together. It is measured again when the list is stored."
      : "A strategy may have chosen these images, so this is not the accuracy on the pool.";
    return [table, make("p", "muted hint", limit)];
  }
}
