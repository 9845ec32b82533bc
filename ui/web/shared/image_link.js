// Links to the card of an image: `?image=HASH` on the same page, of the same project.

const PARAMETER = "p";
const LINK = /^\?(?:p=[^&]*&)?image=([0-9a-f]{64})$/;

export function imageLink(hash) {
  const project = new URL(location.href).searchParams.get(PARAMETER);
  return project === null ? `?image=${hash}` : `?${PARAMETER}=${encodeURIComponent(project)}&image=${hash}`;
}

// The image of such a link; null for any other address.
export function imageOf(href) {
  const found = LINK.exec(href ?? "");
  return found === null ? null : found[1];
}
