// Below 1000 pixels the navigation is a menu over the page: it closes by itself when a page is chosen, with a
// click beside it and with Escape, and keeps the keys while it is open. From 1000 pixels on it stays open.

import { keys } from "../shared/keys.js";

const NARROW = "(max-width: 999px)";
const SIDEBAR = '[data-testid="stSidebar"]';
const COLLAPSED = "data-collapsed";
const CLOSE = '[data-testid="stSidebarCollapseButton"] button';
const OPEN = '[data-testid="stExpandSidebarButton"]';

export class Navigation {
  constructor() {
    this.query = window.matchMedia(NARROW);
    this.release = null;
    this.onWidth = () => {
      this.show(!this.query.matches);
      this.look();
    };
    this.onClick = (event) => {
      const target = event.composedPath()[0];
      if (!this.query.matches || !(target instanceof Element) || target.closest(OPEN) !== null) return;
      const inside = target.closest(SIDEBAR) !== null;
      if (!inside || target.closest("a[href]") !== null) this.show(false);
    };
    this.onKey = (event) => {
      if (event.key === "Escape" && this.query.matches) this.show(false);
    };
    this.query.addEventListener("change", this.onWidth);
    document.addEventListener("click", this.onClick);
    document.addEventListener("keydown", this.onKey);
    this.observer = new MutationObserver(() => this.look());
    this.observer.observe(document.body, { attributes: true, attributeFilter: [COLLAPSED], subtree: true });
    if (this.query.matches) this.show(false);
    this.look();
  }

  get open() {
    return document.querySelector(SIDEBAR)?.getAttribute(COLLAPSED) === "false";
  }

  show(open) {
    if (this.open !== open) document.querySelector(open ? OPEN : CLOSE)?.click();
  }

  look() {
    const covers = this.query.matches && this.open;
    if (covers && this.release === null) this.release = keys.hold("the menu is open");
    if (!covers && this.release !== null) {
      this.release();
      this.release = null;
    }
  }

  dispose() {
    this.query.removeEventListener("change", this.onWidth);
    document.removeEventListener("click", this.onClick);
    document.removeEventListener("keydown", this.onKey);
    this.observer.disconnect();
    this.release?.();
  }
}
