// What the records say of an image: where it is from, its answers, and labelled images that look like it.

import { imageLink } from "../shared/image_link.js";
import { make } from "../shared/make.js";

const ROLES = { pool: "Pool: it may be asked and learned from", audit: "Audit set: it measures accuracy" };
const REASONS = {
  disagreement: "a disagreement",
  label_error: "a likely error",
  second_opinion: "a second opinion",
};
const SOURCES = {
  browser: "on the Label page",
  gallery: "in a selection of the gallery",
  csv: "from a label file",
  manifest: "from the import",
  oracle: "by a simulation",
  review: "in a review",
};

export function drawFacts(section, { path, role, width, height, round, open, hash }) {
  const rows = [
    ["Path", make("bdi", "", path)],
    ["Role", ROLES[role] ?? role],
    ["Size", `${width} × ${height} pixels`],
    ["Round", round === null ? "Not asked in a round" : `Round ${round}${open ? ", open now" : ""}`],
  ];
  const list = make("dl", "pairs facts");
  for (const [name, value] of rows) {
    const node = make("dd", "");
    node.append(value);
    list.append(make("dt", "", name), node);
  }
  const link = make("a", "", "Link to this card");
  link.href = imageLink(hash);
  section.replaceChildren(make("h3", "unseen", "Image"), list, link);
}

// ---------------------------------------------------------------------------------------- the answers
export function drawHistory(section, { history, hidden }) {
  section.replaceChildren(make("h3", "", "Answers"));
  if (hidden) section.append(make("p", "muted", `Answers of others: ${hidden}`));
  if (history.length === 0) {
    if (!hidden) section.append(make("p", "muted", "Nobody has answered this image."));
    return;
  }
  const list = make("ol", "answers");
  for (const each of [...history].reverse()) list.append(pastAnswer(each));
  section.append(list);
}

function pastAnswer(each) {
  const row = make("li", "");
  const head = make("div", "answer-head");
  const said = make("span", each.taken_back_at === null ? "strong" : "gone");
  if (each.kind === "class") said.append(make("bdi", "", each.label));
  else said.textContent = each.kind === "skip" ? "Skipped" : "Cannot tell";
  head.append(said);
  if (each.counts) head.append(make("span", "badge", "counts"));
  const by = make("div", "muted");
  const asked = each.round === null ? (SOURCES[each.source] ?? each.source) : `in round ${each.round}`;
  by.append(make("bdi", "", each.annotator), `, ${asked}, `, moment(each.recorded_at));
  row.append(head, by);
  if (each.review !== null) {
    row.append(make("div", "", `Decided in the review of ${REASONS[each.review] ?? each.review}.`));
    if (each.note) row.append(quoted(each.note));
  }
  if (each.taken_back_at !== null) {
    const back = make("div", "");
    back.append("Taken back by ", make("bdi", "", each.taken_back_by), ", ", moment(each.taken_back_at));
    row.append(back);
  }
  if (each.suggestion !== null) {
    const line = make("div", "muted");
    line.append("The model suggested ", make("bdi", "", each.suggestion), ".");
    row.append(line);
  }
  return row;
}

function quoted(text) {
  const node = make("q", "");
  node.append(make("bdi", "", text));
  return node;
}

export function moment(iso) {
  const node = make("time", "", new Date(iso).toLocaleString([], { dateStyle: "medium", timeStyle: "short" }));
  node.dateTime = iso;
  return node;
}

// ------------------------------------------------------------------------------------------- its like
export function drawNearest(section, { images, words }, side, onOpen) {
  section.replaceChildren(make("h3", "", "Nearest labelled images"));
  if (images.length === 0) {
    section.append(make("p", "muted", words));
    return;
  }
  const list = make("ul", "nearest");
  for (const each of images) {
    const item = make("li", "");
    const open = make("button", "near");
    open.type = "button";
    const picture = make("img", "");
    picture.src = `${each.picture}&side=${side}`;
    picture.alt = "";
    picture.loading = "lazy";
    const label = make("bdi", "near-label", each.label);
    const cosine = make("span", "muted", `similarity ${each.similarity.toFixed(2)}`);
    open.append(picture, label, cosine);
    open.addEventListener("click", () => onOpen(each.hash));
    item.append(open);
    list.append(item);
  }
  section.append(list, make("p", "muted note", "Similarity: cosine of the model's features before any label."));
}
