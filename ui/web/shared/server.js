// Our own routes, as components call them.

import { tabId } from "./tab.js";

const CALL_TIMEOUT_MS = 10000;
let givenBack = Promise.resolve(); // what any page of this tab gives back has arrived, so that it is not given again

export class Server {
  // base() gives the path of our routes; onSignedOut(reason) is called when the sign-in has ended.
  constructor(base, onSignedOut) {
    this.base = base;
    this.onSignedOut = onSignedOut;
    this.tab = tabId();
  }

  // `signal` ends a call that is not wanted any more; without it, a call ends by itself.
  async call(path, body, signal = AbortSignal.timeout(CALL_TIMEOUT_MS)) {
    const response = await fetch(this.base() + path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
      credentials: "same-origin",
      cache: "no-store",
      redirect: "error",
      signal,
    });
    const reply = await response.json();
    if (response.status === 401 && reply.code === "session") this.onSignedOut(reply.reason);
    return { ok: response.ok, reply };
  }

  // What a GET route says.
  async read(path) {
    const response = await fetch(this.base() + path, {
      credentials: "same-origin",
      cache: "no-store",
      redirect: "error",
    });
    const reply = await response.json();
    if (response.status === 401 && reply.code === "session") this.onSignedOut(reply.reason);
    return { ok: response.ok, reply };
  }

  // The queue, or null when the server does not answer. `side` is that of the renditions to be shown.
  async queue(side) {
    await givenBack;
    try {
      const { ok, reply } = await this.call("/queue", { tab: this.tab, side });
      return ok ? reply : null;
    } catch {
      return null;
    }
  }

  // The last answers of the person, or null when the server does not answer.
  async answered() {
    try {
      const response = await fetch(this.base() + "/answered", { credentials: "same-origin", cache: "no-store" });
      return response.ok ? (await response.json()).answers : null;
    } catch {
      return null;
    }
  }

  // Gives images back when their page is left or the tab is closed; the browser sends it although the page is gone.
  release(items) {
    if (items.length === 0) return;
    givenBack = fetch(this.base() + "/release", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ tab: this.tab, items }),
      credentials: "same-origin",
      keepalive: true,
      signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
    }).catch(() => {}); // the images are free again after the lease at the latest
  }

  async send(entry) {
    try {
      const undo = entry.kind === "undo";
      const body = undo ? { ...entry.body, tab: this.tab, answer: entry.target } : entry.body;
      const { ok, reply } = await this.call(`/${entry.kind}`, body);
      if (ok && reply.stored === true && reply.event_id === entry.body.event_id) {
        return { state: "stored", reply };
      }
      // Only our own server's word is final; anything else (a proxy's page) is worth another try.
      return { state: !ok && reply.refused === true ? "refused" : "again", reply };
    } catch {
      return { state: "again", reply: null };
    }
  }
}
