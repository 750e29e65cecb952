// The list of uploads: a row with progress and buttons for each file, and one file after the other on the line.
import { remembered } from "./remembered.js";
import { signedIn } from "./service.js";
import { Transfer } from "./transfer.js";

const WORDS = {
  waiting: () => "Waiting for its turn",
  sending: ({ sent, size }) => `${megabytes(sent)} of ${megabytes(size)} MB`,
  retrying: ({ sent, size }) => `Interrupted at ${megabytes(sent)} of ${megabytes(size)} MB, trying again…`,
  finishing: () => "Making the picture…",
  paused: ({ sent, size }) => `Paused at ${megabytes(sent)} of ${megabytes(size)} MB`,
  absent: ({ sent, size }) => `${megabytes(sent)} of ${megabytes(size)} MB are there. Choose the file again to go on.`,
  failed: ({ error }) => error.message,
  done: () => "Done",
};
// What is read out where a row has changed; how many bytes have gone is not.
const SAID = {
  sending: "uploading…",
  retrying: "interrupted, trying again…",
  paused: "paused.",
  absent: "choose the file again to go on.",
};
const GO = { paused: "Resume", failed: "Try again" };
const megabytes = (bytes) => (bytes / 1_000_000).toFixed(1);

const list = document.querySelector("#uploads");
const heard = document.querySelector("#heard");
const rows = new Map(); // Of transfers.
const line = [];
let working = false;
let shown = 0;
let arrived, say;

/** `onArrival` is called with each image that was made, `onWord` with what is to be said to the user. */
export function connect(onArrival, onWord) {
  [arrived, say] = [onArrival, onWord];
}

/** Upload files. One that was begun before goes on where it was. */
export function upload(files) {
  for (const file of files) {
    const begun = [...rows.keys()].find((one) => one.state === "absent" && one.fits(file));
    if (begun) goOn(begun, file);
    else show(Transfer.of(file, update));
  }
}

/** Show what was begun before the page was loaded. */
export function restore() {
  for (const kept of remembered(signedIn().id)) show(Transfer.resume(kept, update));
}

/** Stop all and show none; what was begun can go on later. */
export function leave() {
  for (const transfer of rows.keys()) transfer.pause();
  line.length = 0;
  rows.clear();
  list.replaceChildren();
}

function show(transfer) {
  const row = document.querySelector("#transfer").content.cloneNode(true).firstElementChild;
  const parts = ["strong", "progress", ".toggle", ".cancel", "input"];
  const [name, bar, toggle, cancel, choice] = parts.map((one) => row.querySelector(one));
  name.textContent = transfer.name;
  bar.max = transfer.size;
  name.id = `upload-${++shown}`;
  for (const one of [bar, toggle, cancel, choice]) one.setAttribute("aria-describedby", name.id);
  toggle.addEventListener("click", () => (toggle.dataset.does === "pause" ? pause(transfer) : enqueue(transfer)));
  cancel.addEventListener("click", () => giveUp(transfer));
  choice.addEventListener("change", () => {
    const [file] = choice.files;
    if (transfer.fits(file)) goOn(transfer, file);
    else say(`That is another file than the ${transfer.name} that was begun.`, true);
    choice.value = "";
  });
  rows.set(transfer, row);
  list.append(row);
  enqueue(transfer);
}

function goOn(transfer, file) {
  transfer.file = file;
  enqueue(transfer);
}

async function enqueue(transfer) {
  transfer.become("waiting");
  line.push(transfer);
  if (working) return;
  working = true;
  while (line.length) await line.shift().run();
  working = false;
}

function pause(transfer) {
  if (line.includes(transfer)) line.splice(line.indexOf(transfer), 1);
  transfer.pause();
}

async function giveUp(transfer) {
  pause(transfer);
  remove(transfer);
  say(`${transfer.name} is not uploaded.`);
  await transfer.cancel().catch((error) => say(error.message, true));
}

function remove(transfer) {
  rows.get(transfer)?.remove();
  rows.delete(transfer);
}

function update(transfer) {
  const row = rows.get(transfer);
  if (!row) return;
  const { state } = transfer;
  const toggle = row.querySelector(".toggle");
  row.querySelector("progress").value = state === "done" ? transfer.size : transfer.sent;
  row.querySelector(".state").textContent = WORDS[state](transfer);
  toggle.textContent = GO[state] ?? "Pause";
  toggle.dataset.does = state in GO ? "go" : "pause";
  row.querySelector(".cancel").textContent = state === "failed" ? "Dismiss" : "Cancel";
  toggle.hidden = state === "absent" || (toggle.dataset.does === "pause" && !transfer.inParts);
  row.querySelector(".choose").hidden = state !== "absent";
  if (row.dataset.state === state) return;
  row.dataset.state = state;
  if (state === "done") {
    remove(transfer);
    arrived(transfer.image);
    say(`${transfer.name} is there.`);
  } else if (state === "failed") say(`${transfer.name}: ${transfer.error.message}`, true);
  else if (state in SAID) heard.textContent = `${transfer.name}: ${SAID[state]}`;
}
