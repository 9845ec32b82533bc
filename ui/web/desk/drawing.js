// What the desk knows becomes what the screen shows.

// Said of a take-back where the image does not come back, since others may answer it now.
export const TAKEN_BACK = "Your last answer was taken back.";

export function drawDesk(desk) {
  const current = desk.shown;
  const { total, counted } = desk.tally;
  const done = desk.finished();
  desk.root.dataset.armed = String(desk.armed);
  desk.root.dataset.answered = String(counted);
  desk.root.dataset.finished = String(done);
  if (current === null) delete desk.root.dataset.item;
  desk.screen.head.draw(`Round ${desk.data.round.number}`, counted, total);
  desk.screen.head.drawSaved(desk.outbox.size, desk.outbox.failing);
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
  desk.root.dataset.doneHere = String(isDoneHere(desk, current));
  const past = (each) => ({
    text: desk.describe(each.kind, each.class_id),
    colour: desk.data.classes.find((c) => c.id === each.class_id)?.colour,
    ...desk.marking.of(each),
  });
  desk.screen.drawMarks(current === null ? null : desk.marking.of(current), desk.armed || desk.missing);
  desk.screen.drawReopened(desk.reopening.open === null ? null : past(desk.reopening.open.past).text);
  desk.reopening.strip.draw(past, desk.reopening.open?.past);
  const end = endOf(desk);
  desk.screen.drawEnd(end !== null && desk.reopening.open === null, end?.title ?? "", end?.text ?? "", counted > 0);
  if (current === null && !done) desk.screen.viewer.say(waitingText(desk));
  desk.screen.drawNotice(noticeOf(desk));
  report(desk, done && desk.outbox.size === 0);
}

// What the page says of the last answers, of the server, or of this browser; "" for nothing.
export function noticeOf(desk) {
  const said = [desk.refusals.words, desk.notice].filter(Boolean).join(" ");
  const lost = "This browser keeps nothing: answers that are not saved yet would not survive a reload.";
  return said || desk.outbox.reason || (desk.outbox.durable ? "" : lost);
}

function isDoneHere(desk, current) {
  return !desk.finished() && desk.supply.doneHere && current === null;
}

// {title, text} where no image is left for this person; null where one is, or may come.
export function endOf(desk) {
  const doneHere = isDoneHere(desk, desk.queue.current);
  if (!doneHere && !desk.finished()) return null;
  return {
    title: doneHere ? "You are done with this round" : allAnswered(desk),
    text: `${doneHere ? othersAnswer(desk) : ""}${savedText(desk)}`,
  };
}

function allAnswered(desk) {
  const { images } = desk.data.round; // fewer than answers, where several people answer an image
  return images === 1 ? "The image is answered" : `All ${images} images are answered`;
}

function othersAnswer(desk) {
  const { left } = desk.tally;
  const what = left === 1 ? "1 answer that is left" : `${left} answers that are left`;
  return `You have answered every image that you are asked. Others give the ${what}. `;
}

function savedText(desk) {
  return desk.outbox.size > 0 ? "The last answers are being saved." : "Everything is saved.";
}

// Why there is no image yet.
export function waitingText(desk) {
  if (!desk.supply.empty || desk.tally.left === 0) return "Loading";
  return desk.supply.inOtherTab
    ? "Another tab of yours has the last images. Answer them there, or close that tab."
    : "Others have the last images. You get the next one that becomes free.";
}

// Tell the page when the round becomes complete, or is no longer: it shows what comes next.
export function report(desk, complete) {
  const pageKnows = desk.reported === null ? desk.data.complete : desk.reported;
  if (complete === pageKnows || desk.tally.progress === null || desk.outbox.size > 0) return;
  desk.reported = complete;
  desk.trigger("changed", { round: desk.data.round.id, complete });
}
