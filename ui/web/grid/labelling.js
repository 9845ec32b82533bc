// Answers to the selection or to the whole list, and its move to another set. What concerns many images is asked first.

import { make } from "../shared/make.js";
import { ask } from "../shared/question.js";
import { number } from "./words.js";

const ASK_ABOVE = 50; // images of an act that are labelled without a question
export const MOST_IN_ACT = 5000;
export const MOST_ALIKE = 1000;
const MOST_MOVED = 1000; // MOST_IN_ACT in alworkbench/project/notes.py

export class Labelling {
  constructor(gallery) {
    this.gallery = gallery;
    this.asking = false; // a question is open
    this.settles = false; // the next answer is the decision of a reviewer
  }

  // meant: what a press, a button or the search of classes says; see desk/meanings.js.
  labelWith(meant) {
    return this.label(this.answerOf(meant));
  }

  answerOf({ act, id }) {
    const { gallery } = this;
    if (act === "skip") return { kind: "skip", class_id: null, words: "Skipped" };
    if (act === "cannotTell") return { kind: "cannot_tell", class_id: null, words: "Cannot tell" };
    if (act === "accept") return this.onePrediction();
    return { kind: "class", class_id: id, words: gallery.data.classes.find((c) => c.id === id).name };
  }

  onePrediction() {
    const { gallery } = this;
    const images = gallery.targets().map((place) => gallery.list.at(place)).filter(Boolean);
    const found = new Set(images.map((image) => image.predicted_id));
    const [id] = found;
    if (found.size !== 1 || id === null || id === undefined) {
      gallery.say("The selected images do not have one prediction. Press the key of a class instead.");
      return null;
    }
    return this.answerOf({ act: "choose", id });
  }

  // The answer that fits a list of one prediction; null for any other list.
  wholeList() {
    const { gallery } = this;
    const filter = gallery.list.query.filter ?? {};
    // Images of one kind of error keep their labels: the model is what is wrong there, or one label.
    const predicted = filter.evidence === undefined ? filter.predicted ?? [] : [];
    const found = gallery.data.classes.find((c) => predicted.length === 1 && c.name === predicted[0]);
    if (found !== undefined) return this.answerOf({ act: "choose", id: found.id });
    if (gallery.list.query.filter?.cluster === undefined) return null;
    const image = gallery.list.at(gallery.selection.focus);
    const own = gallery.data.classes.find((c) => c.id === (image?.class_id ?? image?.predicted_id));
    return own === undefined ? null : this.answerOf({ act: "choose", id: own.id });
  }

  async label(answer) {
    const { gallery } = this;
    if (answer === null) return;
    const places = gallery.targets();
    if (places.length === 0) return;
    const { generation } = gallery.list;
    if (places.length > ASK_ABOVE && places.length <= MOST_IN_ACT && !(await this.ask(answer, places.length))) return;
    const images = await this.imagesAt(places, MOST_IN_ACT, "One act labels", generation);
    if (images === null) return;
    gallery.acts.label(answer, { images: images.map((image) => image.id), ...this.decision() }, images.slice(0, MOST_ALIKE).map((image) => image.hash));
    if (gallery.selection.size === 0) gallery.selection.move(Math.min((gallery.list.total ?? 1) - 1, gallery.selection.focus + 1));
    gallery.selection.clear();
    gallery.draw();
  }

  // All images of the list are of this class.
  async labelAll(answer) {
    const { gallery } = this;
    const { total, cursor, query } = gallery.list;
    if (answer === null || !total || !(await this.ask(answer, total))) return;
    const loaded = [...gallery.list.items.values()].slice(0, MOST_ALIKE).map((image) => image.hash);
    gallery.acts.label(answer, { query, cursor, total, ...this.decision() }, loaded);
    gallery.selection.clear();
    gallery.draw();
  }

  // What one act says of a decision; it holds for this act alone.
  decision() {
    const { settles } = this;
    this.settles = false;
    return settles ? { settles } : {};
  }

  // Whether the person agrees to an act.
  async agrees(words, yes) {
    const { gallery } = this;
    this.asking = true;
    const said = await ask(gallery.screen.stage, words, yes);
    this.asking = false;
    gallery.view.node.focus({ preventScroll: true });
    return said;
  }

  ask(answer, count) {
    const words = [`Answer ${number(count)} images with `, make("bdi", "", answer.words), "? One undo takes all of it back."];
    return this.agrees(words, `Answer ${number(count)} images`);
  }

  // The images at these places of the list of `generation`, all of them read; null where that failed, or where
  // they are too many.
  async imagesAt(places, most, what, generation = this.gallery.list.generation) {
    const { gallery } = this;
    if (places.length > most) {
      gallery.say(`${what} at most ${number(most)} images. Select fewer.`);
      return null;
    }
    const same = await gallery.list.read(places, generation);
    const images = places.map((place) => gallery.list.at(place)).filter(Boolean);
    if (same && images.length === places.length) return images;
    gallery.say("Some of the selected images could not be read. Nothing was recorded. Try again.");
    return null;
  }

  // To the set that `otherSet` names.
  async move() {
    const { gallery } = this;
    const role = this.otherSet();
    const images = await this.imagesAt(gallery.targets(), MOST_MOVED, "One act moves");
    if (images === null || images.length === 0) return;
    gallery.notice = "";
    const follows = await gallery.acts.move(images, role, false);
    if (follows === null || gallery.stopped) return;
    if (await this.agrees([follows], `Move ${images.length === 1 ? "1 image" : `${number(images.length)} images`}`)) gallery.acts.move(images, role, true);
    else gallery.say("Nothing was moved.");
  }

  // Where the selection goes: to the pool if all of it measures the model, else to the audit set.
  otherSet() {
    const { gallery } = this;
    const images = gallery.targets().map((place) => gallery.list.at(place)).filter(Boolean);
    return images.length > 0 && images.every((image) => image.role === "audit") ? "pool" : "audit";
  }
}
