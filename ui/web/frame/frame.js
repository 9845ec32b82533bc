// The frame around every page: the connection banner, the menu of narrow windows, and the sheet of keys.

import { Connection } from "./connection.js";
import { Navigation } from "./navigation.js";
import { Sheet } from "./sheet.js";

class Frame {
  constructor(root, data) {
    this.connection = new Connection(root, data);
    this.navigation = new Navigation();
    this.sheet = new Sheet(root);
    document.body.dataset.alwFrame = "";
  }

  update(data) {
    this.connection.data = data;
  }

  dispose() {
    this.connection.dispose();
    this.navigation.dispose();
    this.sheet.dispose();
    delete document.body.dataset.alwFrame;
  }
}

export function mount(root, data) {
  return new Frame(root, data);
}
