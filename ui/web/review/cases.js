// Which case is on the screen, which follow, and which this page has acted on.

export class Cases {
  constructor() {
    this.current = null;
    this.upcoming = [];
    this.later = []; // ids of cases that were put off, in order
    this.total = 0; // open cases of the chosen kind that this page has not acted on
    this.counts = {};
    this.known = false; // the server has said something
    this.acted = new Map(); // case id -> event id of an act of this page
    this.again = null; // a case that changed and is shown next
  }

  get ids() {
    return this.upcoming.map((each) => each.case_id);
  }

  clear() {
    this.current = null;
    this.upcoming = [];
    this.known = false;
  }

  // The answer of the server. The case on the screen stays, unless it is open no more: then returns true.
  merge({ cases, total, counts }) {
    const open = cases.filter((each) => !this.acted.has(each.case_id));
    this.known = true;
    this.counts = counts;
    this.total = total - (cases.length - open.length);
    if (this.again !== null) {
      const place = (each) => (each.case_id === this.again ? 0 : 1);
      open.sort((a, b) => place(a) - place(b));
      this.again = null;
    }
    const shown = this.current?.case_id;
    const gone = this.current !== null && cases.length === total && !open.some((each) => each.case_id === shown);
    this.upcoming = open.filter((each) => each.case_id !== shown);
    return gone;
  }

  next() {
    this.current = this.upcoming.shift() ?? null;
  }

  // An act closes its case; a decision and a question close every open case of the image.
  close(act, eventId) {
    const { case_id, image } = this.current;
    const whole = act === "decide" || act === "pass_on";
    const closed = [case_id, ...(whole ? this.upcoming.filter((each) => each.image === image).map((each) => each.case_id) : [])];
    for (const id of closed) this.acted.set(id, eventId);
    this.upcoming = this.upcoming.filter((each) => !closed.includes(each.case_id));
    this.total = Math.max(0, this.total - closed.length);
    this.current = null;
  }

  // The act was refused: its cases are open as before, and the one that it named is shown next.
  reopen(eventId, caseId) {
    for (const [id, event] of this.acted) {
      if (event === eventId) this.acted.delete(id);
    }
    this.again = caseId;
  }

  putOff(most) {
    const { case_id } = this.current;
    this.later = [...this.later.filter((id) => id !== case_id), case_id].slice(-most);
    this.upcoming.push(this.current);
    this.current = null;
  }
}
