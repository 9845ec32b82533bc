// Notes and flags of the selection, or of the image where the person is.

import { keys } from "../shared/keys.js";
import { hearMarks } from "../shared/marks.js";
import { openNote } from "../shared/note_dialog.js";

const MOST = 1000; // images: MOST_IN_ACT in alworkbench/project/notes.py

export class Marking {
  constructor(gallery) {
    this.gallery = gallery;
    this.close = null;
    this.deafen = hearMarks(({ hash, flagged, notes }) => {
      const same = [...gallery.list.items.values()].filter((image) => image.hash === hash);
      gallery.list.renew(same.map((image) => ({ ...image, flagged, notes })));
      gallery.draw();
    });
  }

  // what: "note" or "flag". The images are those of the moment of the press.
  act(what) {
    const places = this.gallery.targets();
    if (places.length > MOST) {
      this.gallery.say(`A note or a flag is for at most ${MOST.toLocaleString("en")} images. Select fewer.`);
    } else if (places.length > 0) this.mark(what, places);
    else this.gallery.say("Go to an image or select some first.");
    return true;
  }

  async mark(what, places) {
    const { list } = this.gallery;
    let same = true;
    if (places.some((place) => list.at(place) === null)) {
      const release = keys.hold("the selected images are being read"); // what is typed meanwhile labels nothing
      same = await list.read(places, list.generation);
      release();
    }
    const images = places.map((place) => list.at(place)).filter(Boolean);
    if (!same || images.length < places.length) {
      this.gallery.say("Some of the selected images could not be read. Nothing was recorded. Try again.");
    } else if (what === "flag") this.flag(images);
    else this.note(images);
  }

  // Flags all of them; where all are flagged, takes the flags off.
  flag(images) {
    const raised = !images.every((image) => image.flagged);
    this.gallery.acts.mark("/flag", { raised }, images, (image) => ({ ...image, flagged: raised }));
  }

  note(images) {
    if (this.close !== null) return;
    const { gallery } = this;
    this.close = openNote(gallery.root, {
      about: images.length === 1 ? images[0].hash : "a selection",
      title: images.length === 1 ? "Note about this image" : `Note about ${images.length.toLocaleString("en")} images`,
      onSave: (text) => gallery.acts.mark("/note", { text }, images, (image) => ({ ...image, notes: image.notes + 1 })),
      onClose: () => {
        this.close = null;
        gallery.view.node.focus({ preventScroll: true });
      },
    });
  }

  dispose() {
    this.close?.();
    this.deafen();
  }
}
