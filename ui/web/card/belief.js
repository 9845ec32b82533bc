// What the model says of an image: its likeliest classes with their spread, and the parts of its uncertainty.
// Every bar is only a picture of numbers that stand beside it as text.

import { make } from "../shared/make.js";

export function drawModel(section, reply) {
  section.replaceChildren(make("h3", "", "What the model says"));
  if (reply.classes === null) {
    section.append(make("p", "muted", reply.words));
    return;
  }
  section.append(make("p", "muted", reply.words), classes(reply), conflict(reply), ...uncertainty(reply));
}

function classes({ classes, others, calibration, draws }) {
  const box = make("div", "");
  const list = make("ol", "beliefs");
  for (const each of classes) {
    const row = make("li", "belief");
    const name = make("bdi", "belief-name", each.name);
    const number = make("span", "belief-number", `${percent(each.probability)} `);
    number.append(make("span", "muted", `${percent(each.low)} to ${percent(each.high)}`));
    row.append(name, number, bar(each));
    list.append(row);
  }
  const more = others > 0 ? `${others} more ${others === 1 ? "class is" : "classes are"} less likely. ` : "";
  const words =
    `${more}Probability: ${calibration}. The range holds 95\u00a0% of ${draws.toLocaleString("en")} draws of the model ` +
    "given its labels.";
  box.append(list, make("p", "muted note", words));
  return box;
}

// A bar up to the probability, and a line over the range.
function bar({ probability, low, high }) {
  const track = make("div", "bar");
  track.setAttribute("aria-hidden", "true");
  const fill = make("div", "bar-fill");
  fill.style.width = `${100 * probability}%`;
  const range = make("div", "bar-range");
  range.style.insetInlineStart = `${100 * low}%`;
  range.style.width = `${100 * (high - low)}%`;
  track.append(fill, range);
  return track;
}

function conflict({ conflict }) {
  if (conflict.length < 2) {
    return make("p", "", "No classes are in conflict: one class wins almost all draws.");
  }
  const line = make("p", "");
  line.append("In conflict: ");
  for (const [n, name] of conflict.entries()) {
    if (n > 0) line.append(n === conflict.length - 1 ? " and " : ", ");
    line.append(make("bdi", "strong", name));
  }
  line.append(".");
  return line;
}

function uncertainty({ uncertainty: { total, epistemic, aleatoric }, number, error }) {
  const most = Math.log(number);
  const head = make("h4", "", "Uncertainty");
  const track = make("div", "bar parts");
  track.setAttribute("aria-hidden", "true");
  for (const [name, value] of [["epistemic", epistemic], ["aleatoric", aleatoric]]) {
    const part = make("div", name);
    part.style.width = `${(100 * value) / most}%`;
    track.append(part);
  }
  const list = make("dl", "pairs");
  const rows = [
    ["Labels can remove", epistemic, "epistemic", "epistemic"],
    ["Stays with any number of labels", aleatoric, "aleatoric", "aleatoric"],
    [`Together, of at most ${most.toFixed(2)}`, total, "", ""],
  ];
  for (const [words, value, term, mark] of rows) {
    const name = make("dt", "");
    if (mark) {
      const dot = make("span", `dot ${mark}`);
      dot.setAttribute("aria-hidden", "true");
      name.append(dot);
    }
    name.append(words);
    if (term) name.append(make("span", "muted", ` (${term})`));
    list.append(name, make("dd", "", `${value.toFixed(2)} nats`));
  }
  const words =
    `Estimated from draws, with a standard error of at most ${error.toPrecision(1)} nats. It is of the model's own ` +
    "draws and is not calibrated.";
  return [head, track, list, make("p", "muted note", words)];
}

function percent(share) {
  const value = 100 * share;
  if (value > 0 && value < 0.5) return "<\u00a01\u00a0%";
  if (value < 100 && value >= 99.5) return ">\u00a099\u00a0%";
  return `${Math.round(value)}\u00a0%`;
}
