// The address names the project that this tab shows, and so do the links of the navigation: a reload, a bookmark and a
// new tab show the same project. Streamlit drops what follows the path when another page is chosen.
//
// The entry of the history is changed in place: a further one would hold the way back.

const PARAMETER = "p";
const LINKS = '[data-testid="stSidebarNavLink"]';

function withProject(href, project) {
  const address = new URL(href, location.href);
  address.searchParams.set(PARAMETER, project);
  return address.pathname + address.search + address.hash;
}

export class ProjectAddress {
  constructor(data) {
    this.left = null;
    this.observer = new MutationObserver(() => this.look());
    this.observer.observe(document.body, {
      childList: true,
      subtree: true,
      attributes: true,
      attributeFilter: ["href"],
    });
    this.update(data);
  }

  update(data) {
    this.data = data;
    this.look();
  }

  look() {
    const { project, leave } = this.data;
    if (leave !== null && leave !== this.left) {
      this.left = leave;
      location.replace(leave);
      return;
    }
    if (project === null || leave !== null) return;
    if (new URL(location.href).searchParams.get(PARAMETER) === null) {
      history.replaceState(history.state, "", withProject(location.href, project));
    }
    for (const link of document.querySelectorAll(LINKS)) {
      const wanted = withProject(link.href, project);
      if (link.getAttribute("href") !== wanted) link.setAttribute("href", wanted);
    }
  }

  dispose() {
    this.observer.disconnect();
  }
}
