// The sections of the navigation as groups. Streamlit writes them as one list whose children are no entries,
// which a screen reader cannot count.

const SIDEBAR = '[data-testid="stSidebar"]';
const LIST = '[data-testid="stSidebarNavItems"]';

export class NavigationList {
  constructor() {
    this.observer = new MutationObserver(() => this.name());
    const sidebar = document.querySelector(SIDEBAR);
    if (sidebar !== null) this.observer.observe(sidebar, { childList: true, subtree: true });
    this.name();
  }

  name() {
    for (const list of document.querySelectorAll(LIST)) {
      role(list, "presentation");
      for (const section of list.children) {
        if (section.tagName === "LI") continue;
        role(section, "group");
        const title = [...section.children].find((child) => child.tagName !== "LI")?.textContent ?? "";
        if (title !== "" && section.getAttribute("aria-label") !== title) section.setAttribute("aria-label", title);
      }
      for (const entry of list.querySelectorAll("li")) role(entry, "presentation");
    }
  }

  dispose() {
    this.observer.disconnect();
  }
}

function role(node, wanted) {
  if (node.getAttribute("role") !== wanted) node.setAttribute("role", wanted);
}
