// What the server did not take since the person acted last: all of it in one sentence, with each reason once.

const NOUNS = {
  answer: ["answer", "answers", "recorded"],
  relabel: ["new answer", "new answers", "recorded"],
  undo: ["answer", "answers", "taken back"],
  note: ["note", "notes", "recorded"],
  flag: ["change of a flag", "changes of flags", "recorded"],
};

export class Refusals {
  constructor() {
    this.clear();
  }

  // The person acts again, and has seen what was said.
  clear() {
    this.texts = new Map(); // kind of an entry of the outbox -> of each that was refused, what was written in it
    this.reasons = new Set();
  }

  add({ kind, body }, reason) {
    this.texts.set(kind, [...(this.texts.get(kind) ?? []), body.text]);
    this.reasons.add(reason);
  }

  // "" for none.
  get words() {
    if (this.texts.size === 0) return "";
    const clauses = [...this.texts].map(([kind, texts]) => clause(NOUNS[kind], texts));
    return `${clauses.join(", and ")}: ${[...this.reasons].join(" ")}`;
  }
}

function clause([one, many, done], texts) {
  const written = texts.filter(Boolean).map((text) => ` “${text}”`).join(" and");
  return texts.length === 1 ? `1 ${one}${written} was not ${done}` : `${texts.length} ${many}${written} were not ${done}`;
}
