// A question before an act: it takes all keys until it is answered.

import { keys } from "./keys.js";
import { make } from "./make.js";

let number = 0;

// words: texts and elements; yes: what the act does. Resolves to true or false. `stage` holds the question.
export function ask(stage, words, yes) {
  return new Promise((resolve) => {
    const box = make("div", "question");
    box.setAttribute("role", "alertdialog");
    box.setAttribute("aria-modal", "true");
    const text = make("p");
    number += 1;
    text.id = `question-${number}`;
    text.append(...words);
    box.setAttribute("aria-labelledby", text.id);
    const agree = make("button", "chosen", yes);
    const cancel = make("button", "", "Cancel");
    box.append(text, agree, cancel);
    const end = (said) => {
      leave();
      box.remove();
      resolve(said);
    };
    const leave = keys.enter("question", ({ key }) => {
      if (key === "escape") end(false);
      else if (key === "enter") end(true);
      return true;
    }, { modal: true, sheet: () => [["Enter", "do it"], ["Escape", "cancel"]] });
    agree.addEventListener("click", () => end(true));
    cancel.addEventListener("click", () => end(false));
    stage.append(box);
    agree.focus();
  });
}
