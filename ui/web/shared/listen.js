// Listeners of a component that go together when it goes.

// pairs: [[target, name of the event, function]]; returns a function that removes them.
export function listen(pairs) {
  for (const [target, name, act] of pairs) target.addEventListener(name, act);
  return () => {
    for (const [target, name, act] of pairs) target.removeEventListener(name, act);
  };
}
