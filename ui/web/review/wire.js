// What the page asks the server, and the decisions on their way to it.

import { Outbox } from "../shared/outbox.js";
import { Server } from "../shared/server.js";

export class Wire {
  constructor(page) {
    const { project, owner } = page.data;
    this.server = new Server(() => page.data.base, (reason) => page.tell(reason));
    this.outbox = new Outbox({
      prefix: `alworkbench.review.${project}.${owner}.`,
      send: ({ body }) => this.send(body),
      onSettled: ({ body }, outcome) => page.onSettled(body, outcome),
      onChange: () => page.draw(),
    });
  }

  // The reply, or null when the server does not answer.
  async ask(path, body) {
    try {
      return await this.server.call(path, body);
    } catch {
      return null;
    }
  }

  async send(body) {
    const answer = await this.ask("/reviews/act", body);
    if (answer === null) return { state: "again", reply: null };
    const { ok, reply } = answer;
    if (ok && reply.stored === true && reply.event_id === body.event_id) return { state: "stored", reply };
    // Only our own server's word is final; anything else (a proxy's page) is worth another try.
    return { state: !ok && reply.refused === true ? "refused" : "again", reply };
  }
}
