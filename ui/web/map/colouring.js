// By what points are coloured: each way sorts them into groups with a name, initials, a colour and a count.

import { initials } from "../shared/class_look.js";
import { FIRST_CLASS, UNKNOWN } from "./points.js";

export const WAYS = [
  ["label", "Label"],
  ["predicted", "Prediction"],
  ["uncertainty", "Uncertainty"],
  ["round", "Round"],
  ["answered", "Answered or not"],
];
const QUIET = null; // the colour of a group that stays in the background
const FORMER = "#6b7280"; // of a class that is no longer in use
const BINS = 6;
const MOST_ROUNDS = 12;
const SCALE = ["#3b4cc0", "#3f8fc4", "#2a9d8f", "#8ab17d", "#e9a23b", "#d1495b"]; // little to much

// {groups: [{name, mark, colour, count}], of: Uint16Array of the group of each point}. The map adds `shown`, the
// colour as it is on the present paper.
// colours: of the classes in use, by id.
export function coloured(points, way, colours) {
  const { groups, of } = MAKERS[way](points, colours);
  for (const group of groups) group.count = 0;
  for (let i = 0; i < points.count; i += 1) groups[of[i]].count += 1;
  return { groups, of };
}

function classGroups(points, colours, none) {
  const groups = [
    { name: none, mark: "–", colour: QUIET },
    { name: "Skipped (no class)", mark: "sk", colour: "#8a8f98" },
    { name: "Cannot tell", mark: "?", colour: "#b08b6a" },
  ];
  for (const each of points.head.classes) {
    const name = each.in_use ? each.name : `${each.name} (no longer in use)`;
    groups.push({ name, mark: initials(each.name), colour: colours.get(each.id) ?? FORMER });
  }
  return groups;
}

const MAKERS = {
  label: (points, colours) => ({ groups: classGroups(points, colours, "No answer"), of: points.label }),
  predicted: (points, colours) => ({ groups: classGroups(points, colours, "No prediction"), of: points.predicted }),
  answered: (points) => {
    const groups = [
      { name: "No answer", mark: "–", colour: QUIET },
      { name: "Skipped (no class)", mark: "sk", colour: "#8a8f98" },
      { name: "Cannot tell", mark: "?", colour: "#b08b6a" },
      { name: "Labelled", mark: "✓", colour: SCALE[2] },
    ];
    return { groups, of: points.label.map((value) => Math.min(value, FIRST_CLASS)) };
  },
  uncertainty: (points) => {
    const groups = [{ name: "No prediction", mark: "–", colour: QUIET }];
    const most = points.head.most_entropy;
    for (let bin = 0; bin < BINS; bin += 1) {
      const [low, high] = [(bin * most) / BINS, ((bin + 1) * most) / BINS];
      groups.push({ name: `${low.toFixed(2)} to ${high.toFixed(2)} nats`, mark: String(bin + 1), colour: SCALE[bin] });
    }
    const width = (points.steps + 1) / BINS;
    return { groups, of: points.uncertainty.map((value) => (value === UNKNOWN ? 0 : 1 + Math.floor(value / width))) };
  },
  round: (points) => {
    const last = points.round.reduce((most, value) => Math.max(most, value), 0);
    const width = Math.max(1, Math.ceil(last / MOST_ROUNDS));
    const groups = [{ name: "Not asked in a round", mark: "–", colour: QUIET }];
    for (let first = 1; first <= last; first += width) {
      const end = Math.min(last, first + width - 1);
      const share = last === 1 ? 1 : (first - 1) / (last - 1);
      const name = end === first ? `Round ${first}` : `Rounds ${first} to ${end}`;
      groups.push({ name, mark: String(first), colour: SCALE[Math.round(share * (SCALE.length - 1))] });
    }
    return { groups, of: Uint16Array.from(points.round, (value) => (value === 0 ? 0 : 1 + Math.floor((value - 1) / width))) };
  },
};
