// Fetches the modules of a component from our own server, and mounts them once.
//
// Streamlit calls the default export again whenever the data changes. What is mounted lives on the element,
// so that a rerun of the page never loses what is on screen. The module of a component exports
// mount(root, data, trigger), which returns {update(data, trigger), dispose()}.

const HELD = Symbol.for("alworkbench.held");
const ATTEMPT = Symbol.for("alworkbench.attempt");
const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 5000;

// A browser may keep the failure of an address for as long as the page is open, so a later try has another one.
function addressOf({ version, modules }, file) {
  const attempt = window[ATTEMPT] ?? 0;
  const path = `${modules}/${version}${attempt > 0 ? `-${attempt}` : ""}/${file}`;
  return new URL(path, location.origin).href;
}

// All modules at once: a browser would find out by reading each which others it imports.
function preload(code) {
  for (const file of code.files) {
    const link = document.createElement("link");
    link.rel = "modulepreload";
    link.href = addressOf(code, file);
    if (document.head.querySelector(`link[href="${link.href}"]`) === null) document.head.append(link);
  }
}

async function reasonFor(address, problem) {
  try {
    const response = await fetch(address, { credentials: "same-origin", cache: "no-store" });
    if (response.ok) return `Its code does not start: ${problem.message}. Load the page again.`;
    const reply = await response.json();
    return typeof reply.reason === "string" ? reply.reason : "The server does not give its code.";
  } catch {
    return "The server does not answer.";
  }
}

async function load(root, held) {
  let delay = FIRST_DELAY_MS;
  while (!held.disposed) {
    const address = addressOf(held.code, held.code.entry);
    preload(held.code);
    try {
      const module = await import(address);
      if (held.disposed) return;
      root.replaceChildren();
      held.mounted = module.mount(root, held.data, held.trigger);
      return;
    } catch (problem) {
      console.error(problem);
      const reason = await reasonFor(address, problem);
      if (held.disposed) return;
      root.textContent = `This part of the page could not be loaded. ${reason} It is tried again by itself.`;
      root.setAttribute("role", "status");
    }
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, delay);
      window.addEventListener("online", () => { clearTimeout(timer); resolve(); }, { once: true });
    });
    delay = Math.min(2 * delay, LONGEST_DELAY_MS);
    window[ATTEMPT] = (window[ATTEMPT] ?? 0) + 1;
  }
}

export default function ({ parentElement, data, setTriggerValue }) {
  const root = parentElement.querySelector("[data-component]");
  const isNew = root[HELD] === undefined;
  if (isNew) root[HELD] = { calls: 0, mounted: null, disposed: false };
  const held = root[HELD];
  held.calls += 1;
  held.code = data.code;
  held.data = data.given;
  held.trigger = setTriggerValue;
  if (isNew) load(root, held);
  else if (held.mounted !== null) held.mounted.update(held.data, held.trigger);
  const call = held.calls;
  return () => {
    if (call !== held.calls) return; // a newer call has taken the element over
    held.disposed = true;
    if (held.mounted !== null) held.mounted.dispose();
    delete root[HELD];
  };
}
