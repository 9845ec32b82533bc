// What the desk knows becomes what the screen shows.

export function drawDesk(desk) {
  const current = desk.shown;
  const { total, counted } = desk.tally;
  const done = desk.finished();
  desk.root.dataset.armed = String(desk.armed);
  desk.root.dataset.answered = String(counted);
  desk.root.dataset.finished = String(done);
  if (current === null) delete desk.root.dataset.item;
  desk.screen.drawHead(`Round ${desk.data.round.number}`, counted, total);
  desk.screen.drawSaved(desk.outbox.size, desk.outbox.failing);
  desk.screen.enable(desk.armed);
  desk.screen.answers.drawDigits(desk.digits);
  desk.screen.drawSuggestion(
    current === null ? null : current.suggestion,
    desk.data.round.calibration,
  );
  desk.screen.drawLikely(current === null ? [] : current.likely, desk.data.round.likely);
  const last = desk.history[desk.history.length - 1];
  desk.screen.last.textContent = last ? `Last answer: ${last.text}` : "";
  desk.screen.undo.disabled = !last && counted === 0;
  const doneHere = !done && desk.supply.doneHere && current === null;
  desk.root.dataset.doneHere = String(doneHere);
  const past = (each) => ({
    text: desk.describe(each.kind, each.class_id),
    colour: desk.data.classes.find((c) => c.id === each.class_id)?.colour,
  });
  desk.screen.drawReopened(desk.reopening.open === null ? null : past(desk.reopening.open.past).text);
  desk.reopening.strip.draw(past, desk.reopening.open?.past);
  desk.screen.drawEnd(
    (done || doneHere) && desk.reopening.open === null,
    doneHere ? "You are done with this round" : allAnswered(desk),
    `${doneHere ? othersAnswer(desk) : ""}${savedText(desk)}`,
    counted > 0,
  );
  if (current === null && !done) desk.screen.viewer.say(waitingText(desk));
  const lost = "This browser keeps nothing: answers that are not saved yet would not survive a reload.";
  desk.screen.drawNotice(desk.notice || desk.outbox.reason || (desk.outbox.durable ? "" : lost));
  report(desk, done && desk.outbox.size === 0);
}

function allAnswered(desk) {
  const { total } = desk.tally;
  return total === 1 ? "The image is answered" : `All ${total} images are answered`;
}

function othersAnswer(desk) {
  const { left } = desk.tally;
  const what = left === 1 ? "1 answer that is left" : `${left} answers that are left`;
  return `You have answered every image that you are asked. Others give the ${what}. `;
}

function savedText(desk) {
  return desk.outbox.size > 0 ? "The last answers are being saved." : "Everything is saved.";
}

function waitingText(desk) {
  if (!desk.supply.empty || desk.tally.left === 0) return "Loading";
  return desk.supply.inOtherTab
    ? "Another tab of yours has the last images. Answer them there, or close that tab."
    : "Others have the last images. You get the next one that becomes free.";
}

// Tell the page when the round becomes complete, or is no longer: it shows what comes next.
function report(desk, complete) {
  const pageKnows = desk.reported === null ? desk.data.complete : desk.reported;
  if (complete === pageKnows || desk.tally.progress === null || desk.outbox.size > 0) return;
  desk.reported = complete;
  desk.trigger("changed", { round: desk.data.round.id, complete });
}
