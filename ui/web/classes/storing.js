// Before a draft is stored: what it changes, in sentences and figures; then one act.

import { keys } from "../shared/keys.js";
import { make } from "../shared/make.js";
import { named, press } from "./fields.js";

const plural = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

// reply: of /classes/effect, without faults. onStore(): stores it. Resolves when it is closed.
export function confirmDraft(stage, reply, onStore) {
  return new Promise((resolve) => {
    const box = make("div", "storing");
    box.setAttribute("role", "dialog");
    box.setAttribute("aria-modal", "true");
    const title = make("h2", "", "What storing these changes means");
    title.id = "storing-title";
    title.tabIndex = -1;
    box.setAttribute("aria-labelledby", title.id);
    const list = make("ul", "changes");
    for (const words of reply.changes) list.append(make("li", "", words));
    const store = press("Store as a new version", async () => {
      store.disabled = true;
      said.textContent = "";
      const problem = await onStore();
      if (problem === null) end(true);
      else {
        store.disabled = false;
        said.textContent = problem;
      }
    }, "chosen");
    const back = press("Go on editing", () => end(false));
    const said = make("p", "fault");
    said.setAttribute("role", "alert");
    store.hidden = reply.open_round !== null;
    const acts = make("div", "acts");
    acts.append(store, back);
    box.append(title, list, effectOf(reply), said, acts);
    const end = (stored) => {
      leave();
      cover.remove();
      resolve(stored);
    };
    const leave = keys.enter("storing", ({ key }) => {
      if (key === "escape") end(false);
      return true;
    }, { modal: true, sheet: () => [["Escape", "go on editing"]] });
    box.addEventListener("keydown", (event) => keepInside(event, box));
    const cover = make("div", "cover");
    cover.append(box);
    stage.append(cover);
    title.focus();
  });
}

function effectOf(reply) {
  const node = make("div", "effect");
  if (reply.open_round !== null) {
    node.append(make("p", "notice", `Round ${reply.open_round} is open, and its suggestions were made with the present classes. `
      + "Close the round first. Your changes are kept in this browser meanwhile. Keys, colours, descriptions and the order can be "
      + "stored at any time."));
    return node;
  }
  const { effect } = reply;
  const line = (words) => node.append(make("p", "", words));
  if (effect.labels === 0) line("Labels stay as they are.");
  else {
    line(`${plural(effect.labels, "label")} in ${plural(effect.rounds, "round")} ${effect.labels === 1 ? "is" : "are"} concerned. All labels stay stored:`);
    const list = make("ul");
    for (const { name, labels, counts_for: then } of effect.by_class) {
      const item = make("li");
      item.append(`${plural(labels, "label")} of `, named(name), then === null ? " will teach nothing." : " will count for ");
      if (then !== null) item.append(named(then), ".");
      list.append(item);
    }
    node.append(list);
  }
  line(effect.learns_again
    ? `The model learns again from all labels, as a job. ${plural(effect.learners, "learner")} of the present list `
      + "will stay in the record, and curves leave them out."
    : "Nothing is learned.");
  if (effect.measured_again) line("The accuracy is measured again on the audit set.");
  line("It is stored as a whole or not at all. You can go back to every earlier version.");
  return node;
}

function keepInside(event, box) {
  if (event.key === "Escape") return;
  if (event.key !== "Tab") return;
  const inside = [...box.querySelectorAll("button:not([disabled]):not([hidden]), a[href]")];
  const here = box.getRootNode().activeElement;
  const next = event.shiftKey ? inside[0] : inside[inside.length - 1];
  if (here !== next && inside.includes(here)) return;
  event.preventDefault();
  (event.shiftKey ? inside[inside.length - 1] : inside[0]).focus();
}
