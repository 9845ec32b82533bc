// The dialog in which a note about images is written.
//
// It is a modal <dialog>: the browser keeps the focus inside and everything behind it inert, and its context of
// the router takes all keys, so that nothing behind it labels. What was typed and not saved is kept for as long
// as the page is open.

import { button } from "./buttons.js";
import { keys } from "./keys.js";
import { make } from "./make.js";

const LONGEST = 500; // characters: MOST_OF_NOTE in alworkbench/core/domain/notes.py
const drafts = new Map(); // what the note is about -> text that was not saved

let number = 0;

// stage: the element that holds the dialog; about: a text that names the images; title: what the dialog is
// headed; onSave(text) follows Save, onClose() every end. Returns a function that closes it.
export function openNote(stage, { about, title, onSave, onClose = () => {} }) {
  number += 1;
  const box = make("dialog", "note-dialog");
  const label = make("label", "note-title", title);
  const field = make("textarea", "field");
  field.id = `note-${number}`;
  label.htmlFor = field.id;
  field.rows = 3;
  field.maxLength = LONGEST;
  field.dir = "auto";
  field.value = drafts.get(about) ?? "";
  const count = make("span", "muted");
  const save = button("note-save chosen", "Save the note", "Enter", () => end(true));
  const cancel = button("quiet", "Cancel", "Esc", () => end(false));
  const foot = make("div", "note-foot");
  foot.append(count, save, cancel);
  box.setAttribute("aria-label", title);
  box.append(label, field, foot);

  const text = () => field.value.replace(/\s+/g, " ").trim();
  const draw = () => {
    count.textContent = `${field.value.length} of ${LONGEST} characters`;
    save.disabled = text() === "";
  };
  let open = true;
  const end = (saved) => {
    if (!open || (saved && text() === "")) return;
    open = false;
    if (saved) drafts.delete(about);
    else drafts.set(about, field.value);
    leave();
    box.close();
    box.remove();
    if (saved) onSave(text());
    onClose();
  };
  const leave = keys.enter("the note", ({ key }) => {
    if (key === "tab") return false;
    if (key === "escape") end(false);
    return true;
  }, {
    modal: true,
    sheet: () => [["Enter", "Save the note."], ["Esc", "Close it; what you wrote stays for later."]],
  });
  field.addEventListener("input", draw);
  field.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.isComposing) return;
    if (event.key === "Enter") end(true);
    else if (event.key === "Escape") end(false);
    else return;
    event.preventDefault();
  });
  box.addEventListener("cancel", (event) => {
    event.preventDefault();
    end(false);
  });
  draw();
  stage.append(box);
  box.showModal();
  field.focus();
  return () => end(false);
}
