// One router for the keys of a page. A component enters a context and gets the keys while it is the right one.
//
//   const leave = keys.enter("desk", handler, { modal, inside, sheet, blocked, unknown });
//
//   handler(press)          true when the press was taken: {key, digit, event}, `key` in lower case.
//   modal                   true: while this context is entered, no other gets a key, whenever it was entered: a
//                           page may be drawn behind a card that is open already.
//   inside                  the name of a modal context that this one belongs to, and gets keys with.
//   sheet()                 what this context understands, as [[keys, sentence], ...], for the sheet of `?`.
//   blocked(press, reason)  a press that `handler` did not get, because something else is open.
//   unknown(press)          a character that no context took; the newest that gets keys and listens is told.
//
// The newest context is asked first. A press counts once however long the key is held, on buttons too.
// Presses with Control, Alt or Meta, and typing into a field, are left alone: a field hears its own keys.
// While Streamlit shows a popover, a menu or a dialog, or while the page is held (`keys.hold`), the
// contexts that are not modal get nothing.

const HERE = Symbol.for("alworkbench.keys");
const OPEN_LAYERS = [
  ['[data-testid="stPopoverBody"], [data-baseweb="popover"] [role="listbox"]', "a menu is open"],
  ['[role="dialog"], [data-testid="stDialog"]', "a dialog is open"],
];

export function isTextInput(target) {
  if (!(target instanceof Element)) return false;
  if (target.closest("textarea, select, [contenteditable=''], [contenteditable='true']")) return true;
  const quiet = ["button", "checkbox", "radio", "range", "submit", "reset"];
  return target instanceof HTMLInputElement && !quiet.includes(target.type);
}

function pressesSomething(target) {
  const pressable = "button, a[href], summary, [role=button], [role=option]";
  return target instanceof Element && target.closest(pressable) !== null;
}

function shown(node) {
  return node.getClientRects().length > 0;
}

class Keys {
  constructor() {
    this.contexts = []; // the newest last
    this.holds = [];
    this.taken = new Set(); // codes of keys that are down and were taken
    window.addEventListener("keydown", (event) => this.onDown(event), true);
    window.addEventListener("keyup", (event) => this.taken.delete(event.code), true);
    window.addEventListener("blur", () => this.taken.clear());
  }

  enter(name, handler, { modal = false, inside = null, sheet = () => [], blocked = () => {}, unknown = null } = {}) {
    const context = { name, handler, modal, inside, sheet, blocked, unknown };
    this.contexts.push(context);
    return () => {
      this.contexts = this.contexts.filter((other) => other !== context);
    };
  }

  // Keep the keys from all contexts that are not modal, for this reason, until the returned function is called.
  hold(reason) {
    const held = { reason };
    this.holds.push(held);
    return () => {
      this.holds = this.holds.filter((other) => other !== held);
    };
  }

  // Why contexts that are not modal get no key now; null when they do.
  get obstacle() {
    if (this.holds.length > 0) return this.holds[this.holds.length - 1].reason;
    for (const [selector, reason] of OPEN_LAYERS) {
      if ([...document.querySelectorAll(selector)].some(shown)) return reason;
    }
    return null;
  }

  // The newest modal context, or undefined.
  get top() {
    return this.contexts.findLast((context) => context.modal);
  }

  // The contexts that get keys now, the newest first, as {name, lines}.
  get sheet() {
    const { top } = this;
    const open = this.contexts.filter((each) => top === undefined || each === top || each.inside === top.name);
    return open.reverse().map((context) => ({ name: context.name, lines: context.sheet() }));
  }

  onDown(event) {
    if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.composedPath()[0];
    if (isTextInput(target)) return;
    const native = (event.key === "Enter" || event.key === " ") && pressesSomething(target);
    if (event.repeat) {
      if (native || this.taken.has(event.code)) event.preventDefault();
      return;
    }
    if (native) return;
    if (this.offer(readPress(event))) {
      event.preventDefault();
      this.taken.add(event.code);
    }
  }

  offer(press) {
    const { top } = this;
    const obstacle = top === undefined ? this.obstacle : `${top.name} is open`;
    let untaken = null;
    for (const context of [...this.contexts].reverse()) {
      const open = top === undefined ? obstacle === null : context === top || context.inside === top.name;
      if (!open) {
        context.blocked(press, obstacle);
        continue;
      }
      if (context.handler(press)) return true;
      untaken ??= context.unknown;
    }
    if (untaken !== null && isCharacter(press)) untaken(press);
    return false;
  }
}

function isCharacter({ event }) {
  return event.key.length === 1 && event.key !== " ";
}

// Digits by their place too: on some keyboards they need Shift.
function readPress(event) {
  const place = /^(?:Digit|Numpad)(\d)$/.exec(event.code);
  return { key: event.key.toLowerCase(), digit: place ? place[1] : null, shift: event.shiftKey, event };
}

// All components of a page share one router, also when their code was loaded twice.
export const keys = (window[HERE] ??= new Keys());
