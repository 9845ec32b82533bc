// The case on the screen: what of it is painted, what the reviewer has said, and what can be done with it now.

import { hashOf } from "../card/card.js";

// The acts that close a case, as the server names them.
export const ACTS = { decide: "decide", keep: "keep", passOn: "pass_on", withdraw: "withdraw" };

const BLIND = "alworkbench.review.blind"; // whether the switch is on, as long as the tab is open

export class Shown {
  constructor(onChange) {
    this.onChange = onChange;
    this.blind = true; // what others said is hidden until the reviewer has answered
    try {
      this.blind = sessionStorage.getItem(BLIND) !== "off";
    } catch {
      // Without storage the switch lives as long as the page.
    }
    this.begin(null);
  }

  begin(current) {
    this.current = current;
    this.painted = false; // its picture is on the screen
    this.missing = false; // it has none: the file is gone
    this.opinion = null; // {id, name} of what the reviewer sees
    this.evidence = null; // what others said, and the version of the case
    this.evidencePainted = false;
    this.looking = false; // it is asked for
  }

  // "ask": the reviewer says what there is to see. "decide": what others said is shown. "own": another decides.
  get step() {
    if (this.current === null) return "none";
    if (this.current.own) return "own";
    return this.opinion === null ? "ask" : "decide";
  }

  get showsEvidence() {
    return this.step !== "none" && (!this.blind || this.step !== "ask");
  }

  // The image whose card may be opened: the card says what others answered, so only after the own answer.
  get cardOf() {
    const may = this.step === "decide" && this.evidencePainted;
    return may ? hashOf(this.current.image_url) || null : null;
  }

  get mayLook() {
    return this.showsEvidence && this.evidence === null && !this.looking;
  }

  // What is sent to see what others said.
  get question() {
    const answered = this.opinion !== null;
    const body = { case_id: this.current.case_id, blind: this.blind, answered };
    return answered ? { ...body, class_id: this.opinion.id } : body;
  }

  takeEvidence(evidence) {
    this.evidence = evidence;
    this.repaint();
  }

  answer(opinion) {
    this.opinion = opinion;
    this.repaint();
  }

  setBlind(on) {
    this.blind = on;
    try {
      sessionStorage.setItem(BLIND, on ? "on" : "off");
    } catch {
      // As above.
    }
    this.repaint();
  }

  // Keys count from the frame in which it is painted, not earlier.
  repaint() {
    const { current } = this;
    this.evidencePainted = false;
    this.onChange();
    if (this.evidence === null || !this.showsEvidence) return;
    requestAnimationFrame(() => {
      if (this.current !== current || this.evidence === null || !this.showsEvidence) return;
      this.evidencePainted = true;
      this.onChange();
    });
  }

  get pictured() {
    return this.painted || this.missing;
  }

  // Whether the keys of this step act now.
  get armed() {
    return this.pictured && (this.step === "ask" || this.evidencePainted);
  }

  // Why this cannot be done now; null when it can.
  obstacle(act) {
    if (this.current === null) return "no case is on the screen yet";
    if (!this.pictured) return "no picture is on the screen yet";
    if (this.missing && act === "see") return "this image has no picture, so nobody can see its class";
    if (act in ACTS && !this.evidencePainted) return "what others said is not on the screen yet";
    return null;
  }
}
