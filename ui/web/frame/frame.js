// The frame around every page: the connection banner, and the menu of narrow windows.

import { Connection } from "./connection.js";
import { Navigation } from "./navigation.js";

class Frame {
  constructor(root, data) {
    this.connection = new Connection(root, data);
    this.navigation = new Navigation();
    document.body.dataset.alwFrame = "";
  }

  update(data) {
    this.connection.data = data;
  }

  dispose() {
    this.connection.dispose();
    this.navigation.dispose();
    delete document.body.dataset.alwFrame;
  }
}

export function mount(root, data) {
  return new Frame(root, data);
}
