// Listeners of a component that go together when it goes.

// pairs: [[target, name of the event, function, options], ...]; returns a function that removes them.
export function listen(pairs) {
  for (const [target, name, act, options] of pairs) target.addEventListener(name, act, options);
  return () => {
    for (const [target, name, act, options] of pairs) target.removeEventListener(name, act, options);
  };
}
