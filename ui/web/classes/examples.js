// Example images of a class: those that it has, and a choice among its labelled images or by the name of a file.

import { make } from "../shared/make.js";
import { field, press } from "./fields.js";

const MOST = 12; // of a class

export class Examples {
  // acts: {address(content), labelled(id), find(name)}; the last two resolve to images {hash, path}, and reject with
  // words for people. onChange(hashes): the class has these examples from now on.
  constructor(row, acts, onChange) {
    Object.assign(this, { row, acts, onChange, offered: [] });
    this.node = make("section", "examples-part");
    this.node.setAttribute("aria-label", "Example images");
    this.list = make("ul", "examples");
    this.list.setAttribute("aria-label", "Example images of the class");
    this.offer = make("ul", "examples offered");
    this.offer.setAttribute("aria-label", "Labelled images of the class");
    this.offer.hidden = true;
    this.choose = press("Choose among its labelled images", () => this.unfold());
    this.choose.setAttribute("aria-expanded", "false");
    this.byName = field("Example image by its name", "input", {
      hint: "The path, the end of the path or the content hash of an image of the project. People see examples while they label; the model does not read them.",
    });
    this.byName.input.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.isComposing) return;
      event.preventDefault();
      this.search();
    });
    this.add = press("Add this image", () => this.search());
    this.said = make("p", "muted hint");
    this.said.setAttribute("role", "status");
    this.wrong = make("p", "fault");
    this.wrong.setAttribute("role", "status");
    const acting = make("div", "acts");
    acting.append(this.add);
    if (row.id !== null) acting.append(this.choose);
    this.node.append(make("span", "title", "Example images"), this.list, this.wrong, this.byName.node, acting, this.said, this.offer);
    this.draw();
  }

  // What is wrong with the examples that the class has; empty: nothing.
  fault(words) {
    this.wrong.textContent = words;
  }

  draw() {
    const { examples } = this.row;
    this.list.hidden = examples.length === 0;
    this.list.replaceChildren(...examples.map((content, n) => this.example(content, n)));
    this.offer.replaceChildren(...this.offered.map((image, n) => this.candidate(image, n)));
  }

  example(content, n) {
    const item = make("li");
    const away = press("Remove", () => {
      this.set(this.row.examples.filter((each) => each !== content));
      (this.list.querySelectorAll("button")[Math.max(0, n - 1)] ?? this.byName.input).focus();
    });
    away.setAttribute("aria-label", `Remove example ${n + 1}`);
    item.append(this.picture(content, `Example ${n + 1}`), away);
    return item;
  }

  candidate({ hash, path }, n) {
    const item = make("li");
    const chosen = this.row.examples.includes(hash);
    const pick = make("button", "pick");
    pick.type = "button";
    pick.title = path;
    pick.setAttribute("aria-pressed", String(chosen));
    pick.setAttribute("aria-label", `Labelled image ${n + 1}, ${path}`);
    pick.append(this.picture(hash, ""), make("span", "label", chosen ? "Example" : "Add"));
    pick.addEventListener("click", () => {
      if (chosen) this.set(this.row.examples.filter((each) => each !== hash));
      else this.take(hash);
      this.offer.querySelectorAll("button")[n].focus();
    });
    item.append(pick);
    return item;
  }

  picture(content, alt) {
    const picture = make("img");
    picture.src = this.acts.address(content);
    picture.alt = alt;
    picture.loading = "lazy";
    picture.decoding = "async";
    return picture;
  }

  set(hashes) {
    this.said.textContent = "";
    this.row.examples = hashes;
    this.draw();
    this.onChange();
  }

  // Whether the image is an example now.
  take(hash) {
    if (this.row.examples.includes(hash)) this.said.textContent = "This image is an example already.";
    else if (this.row.examples.length >= MOST) this.said.textContent = `A class has at most ${MOST} example images. Remove one first.`;
    else this.set([...this.row.examples, hash]);
    return this.row.examples.includes(hash);
  }

  async search() {
    const name = this.byName.input.value.trim();
    if (name === "") return this.byName.fault("Write which image.");
    try {
      const { hash } = await this.acts.find(name);
      this.byName.fault("");
      if (this.take(hash)) this.byName.input.value = "";
    } catch (problem) {
      this.byName.fault(problem.message);
    }
    return this.byName.input.focus();
  }

  async unfold() {
    const open = this.offer.hidden;
    this.offer.hidden = !open;
    this.choose.setAttribute("aria-expanded", String(open));
    this.said.textContent = "";
    if (!open) return;
    try {
      this.offered = await this.acts.labelled(this.row.id);
      if (this.offered.length === 0) this.said.textContent = "No image has the label of this class yet.";
    } catch (problem) {
      this.said.textContent = problem.message;
    }
    this.draw();
  }
}
