// What the grid of a round says of its images and of its keys.

import { hashOf } from "../card/card.js";
import { commandKeys, markKeys } from "../desk/meanings.js";
import { marksWith } from "../shared/marks.js";

const SAID = { skip: "Skipped", cannot_tell: "Cannot tell" };

// A slot (see held.js) as a cell draws it. names: class id -> name; entries: of the outbox, whose notes and flags are
// shown before they have arrived. Of others' answers nothing is known here.
export function plainImage({ item, state, said }, names, entries) {
  const { suggestion } = item;
  const hash = hashOf(item.image_url);
  const answer = state === "gone" ? "gone" : said?.kind ?? null;
  const words = said === null ? null : names.get(said.class_id) ?? SAID[said.kind] ?? "";
  return {
    id: item.item_id,
    hash,
    url: item.image_url,
    event: said?.event_id,
    words,
    answer,
    class_id: said?.class_id ?? null,
    class_name: said?.kind === "class" ? words : null,
    predicted_id: suggestion?.class_id ?? null,
    predicted_name: suggestion?.name ?? null,
    probability: suggestion?.probability ?? null,
    done: state !== "open",
    path: `image ${item.position + 1} of the round`,
    people: [],
    differ: false,
    role: "pool",
    similarity: null,
    ...marksWith(item, hash, entries),
  };
}

// What an act did: how many images it changed, and how many had the answer already.
export function actWords(changed, had, words) {
  const one = had === 1 ? "1 image" : `${had} images`;
  if (changed === 0) return `${one} already had this answer: ${words}.`;
  const most = changed === 1 ? `1 image: ${words}.` : `${changed} images: ${words}.`;
  return had === 0 ? most : `${most} ${one} already had this answer.`;
}

// The lines of the sheet of keys.
export function linesOf(data) {
  const { many } = data;
  const [skip, cannotTell, undo] = commandKeys(many);
  const [note, flag] = markKeys(data);
  return [
    ["← → ↑ ↓", "go to another image; with Shift, select on the way"],
    ["Space", "select or release the image"],
    [many ? "A" : "a", "select all images that wait for an answer, unless a class has this key"],
    ["Escape", "select nothing"],
    ["class keys", "answer the selection, or the image where you are"],
    ...(many ? [["a … z", "find a class by words of its name, in any order"]] : []),
    ["Enter", "accept the suggestion, if the selection has one suggestion"],
    [skip, "skip: no answer"],
    [cannotTell, "answer that nobody can tell"],
    [undo, "take the last act back; its images are selected again"],
    [note === ";" ? ";" : "n and ;", "write a note about the selection, or about the image where you are"],
    [flag === ":" ? ":" : "f and :", "flag the selection, or the image where you are; once more takes the flag off"],
    [many ? "I" : "i", "open the card of the image where you are, unless a class has this key"],
    ["+ and -", "larger and smaller pictures"],
  ];
}
