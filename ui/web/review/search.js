// The search for the class that a reviewer sees in the case on the screen.

import { Palette } from "../desk/palette.js";

export class Search {
  constructor(page) {
    this.page = page;
    this.caseId = null; // of the case for which a class is searched
    this.palette = new Palette(page.screen.side, {
      onChoose: (choice) => this.choose(choice),
      onClose: () => page.screen.markTarget(false),
    });
  }

  // The classes in the order of the screen: what the model finds likely would give its opinion away.
  open(text) {
    const { current } = this.page.cases;
    if (this.page.shown.step !== "ask") {
      this.page.refuse("no case waits for your answer");
      return;
    }
    this.caseId = current.case_id;
    this.page.screen.markTarget(true);
    this.palette.open(text, [
      ...this.page.data.classes.map((c) => ({ id: c.id, name: c.name, hint: "" })),
      { id: null, name: "Cannot tell", hint: "nobody can" },
    ]);
  }

  close() {
    this.palette.close();
  }

  // Whether the choice says what is seen in the case for which it was made.
  choose(choice) {
    const reason =
      this.page.cases.current?.case_id === this.caseId
        ? this.page.shown.obstacle(choice.id === null ? "cannotTell" : "see")
        : "another case came on the screen";
    if (reason !== null) {
      this.palette.tell(`Not taken: ${reason}.`);
      return false;
    }
    this.page.see(choice.id);
    return true;
  }
}
