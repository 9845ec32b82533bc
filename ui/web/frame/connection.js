// The banner of a lost connection, in place of Streamlit's dialog: it says what still works, and covers nothing.
//
// Streamlit writes the state of its connection on its page. Without one, the server is asked for a file of
// this page: it answers when it is there, refuses when the sign-in has ended, and does not know the file when
// it was updated. Only the end of the sign-in keeps the keys: answers would wait for somebody who is gone.

import { keys } from "../shared/keys.js";
import { make } from "../shared/make.js";

const APP = '[data-testid="stApp"]';
const STATE = "data-test-connection-state";
const DIALOG = '[data-testid="stDialog"]';
const PATIENCE_MS = 1200; // shorter interruptions are not worth a word
const PROBE_MS = 3000;
const PROBE_TIMEOUT_MS = 5000;
const FAREWELL_MS = 2500;

export class Connection {
  constructor(root, data) {
    this.data = data;
    this.lostAt = null;
    this.timer = null;
    this.release = null;
    this.stopped = false;
    this.banner = make("div", "banner");
    this.banner.setAttribute("role", "status");
    this.banner.hidden = true;
    root.append(this.banner);
    this.observer = new MutationObserver(() => this.look());
    this.observer.observe(document.body, {
      childList: true,
      subtree: true,
      attributes: true,
      attributeFilter: [STATE],
    });
    this.look();
  }

  get connected() {
    const app = document.querySelector(APP);
    return app === null || app.getAttribute(STATE) === "CONNECTED";
  }

  look() {
    for (const dialog of document.querySelectorAll(DIALOG)) {
      const title = dialog.querySelector("h1, h2, [role=heading]") ?? dialog;
      if (title.textContent.trim().startsWith("Connection error")) {
        dialog.querySelector('button[aria-label="Close"]')?.click();
      }
    }
    if (this.connected && this.lostAt !== null) this.found();
    else if (!this.connected && this.lostAt === null) {
      this.lostAt = new Date();
      this.timer = setTimeout(() => this.probe(), PATIENCE_MS);
    }
  }

  found() {
    clearTimeout(this.timer);
    this.lostAt = null;
    this.keepKeys(null);
    if (this.banner.hidden) return;
    this.say("found", "Connected again.");
    this.timer = setTimeout(() => {
      if (this.lostAt === null) this.banner.hidden = true;
    }, FAREWELL_MS);
  }

  async probe() {
    const status = await this.ask();
    if (this.stopped || this.lostAt === null) return;
    const since = this.lostAt.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    const labels = keys.contexts.some((context) => context.name === "desk");
    const waits = labels
      ? "You can go on: your answers wait in this browser and are sent when the server is back."
      : "The buttons of this page wait until the server is back.";
    this.keepKeys(status === 401 ? "you are signed out" : null);
    if (status === 401) {
      this.say("signed-out", "You are signed out. Answers that are not sent yet wait in this browser.", {
        text: "Sign in",
        href: `${this.data.door}?next=${encodeURIComponent(location.pathname + location.search)}`,
      });
    } else if (status === 404) {
      this.say("updated", "The server has been updated. Load the page again to go on.", {
        text: "Load again",
        href: location.href,
      });
    } else {
      this.say("lost", `No connection to the server since ${since}. ${waits} It is tried again by itself.`);
    }
    this.timer = setTimeout(() => this.probe(), PROBE_MS);
  }

  // The status of the answer, or 0 without one.
  async ask() {
    try {
      const response = await fetch(this.data.probe, {
        credentials: "same-origin",
        cache: "no-store",
        redirect: "error",
        signal: AbortSignal.timeout(PROBE_TIMEOUT_MS),
      });
      return response.status;
    } catch {
      return 0;
    }
  }

  keepKeys(reason) {
    if ((reason !== null) === (this.release !== null)) return;
    if (reason !== null) this.release = keys.hold(reason);
    else {
      this.release();
      this.release = null;
    }
  }

  say(kind, text, link = null) {
    if (this.said === text && !this.banner.hidden) return;
    this.banner.dataset.kind = kind;
    this.said = text;
    this.banner.replaceChildren(make("span", "", text));
    if (link !== null) {
      const node = make("a", "", link.text);
      node.href = link.href;
      this.banner.append(node);
    }
    this.banner.hidden = false;
  }

  dispose() {
    this.stopped = true;
    clearTimeout(this.timer);
    this.observer.disconnect();
    this.keepKeys(null);
    this.banner.remove();
  }
}
