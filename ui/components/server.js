// Our own routes, as the desk calls them.

const CALL_TIMEOUT_MS = 10000;

class Server {
  // address() gives {base, token}; onStale() is called when the token belongs to a server before.
  constructor(address, onStale) {
    this.address = address;
    this.onStale = onStale;
  }

  async call(method, path, body) {
    const { base, token } = this.address();
    const headers = { "X-Alworkbench-Token": token };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    const response = await fetch(base + path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      cache: "no-store",
      redirect: "error",
      signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
    });
    const reply = await response.json();
    if (!response.ok && reply.code === "token") this.onStale();
    return { ok: response.ok, reply };
  }

  // The queue, or null when the server does not answer.
  async queue() {
    try {
      const { ok, reply } = await this.call("GET", "/queue");
      return ok ? reply : null;
    } catch {
      return null;
    }
  }

  async send(entry) {
    try {
      const path = entry.kind === "undo" ? "/undo" : "/answer";
      const { ok, reply } = await this.call("POST", path, entry.body);
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
