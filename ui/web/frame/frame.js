// The frame around every page: the connection banner, the menu of narrow windows, the sheet of keys, and the project
// in the address.

import { Connection } from "./connection.js";
import { ProjectAddress } from "./address.js";
import { NavigationList } from "./navigation_list.js";
import { Navigation } from "./navigation.js";
import { Sheet } from "./sheet.js";

class Frame {
  constructor(root, data) {
    this.connection = new Connection(root, data);
    this.navigation = new Navigation();
    this.list = new NavigationList();
    this.sheet = new Sheet(root);
    this.address = new ProjectAddress(data);
    document.body.dataset.alwFrame = "";
  }

  update(data) {
    this.connection.data = data;
    this.address.update(data);
  }

  dispose() {
    this.connection.dispose();
    this.navigation.dispose();
    this.list.dispose();
    this.sheet.dispose();
    this.address.dispose();
    delete document.body.dataset.alwFrame;
  }
}

export function mount(root, data) {
  return new Frame(root, data);
}
