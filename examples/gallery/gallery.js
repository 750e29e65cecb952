// A gallery over the image service, without any library: sign in, upload, show, share, delete.
import { absolute, ask, setSession, signedIn, whenEnded } from "./service.js";
import * as uploads from "./uploads.js";

const PAGE = 24;
const find = (selector, within = document) => within.querySelector(selector);
const pictures = find("#pictures");
let next = null; // The cursor of the next page.

function say(text, wrong = false) {
  const message = find("#message");
  message.textContent = text;
  message.classList.toggle("wrong", wrong);
}

async function attempt(work) {
  try {
    await work();
  } catch (error) {
    say(error.message, true);
  }
}

// Who is here

async function enter() {
  find("#door").hidden = true;
  find("#inside").hidden = find("#who").hidden = false;
  find("#email").textContent = signedIn().email;
  say("");
  uploads.restore();
  await more();
}

function leave() {
  uploads.leave();
  setSession(null);
  next = null;
  find("#door").hidden = false;
  find("#inside").hidden = find("#who").hidden = true;
  pictures.replaceChildren();
}

find("#door").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(async () => {
    const json = Object.fromEntries(new FormData(event.target));
    const answer = await ask("POST", `auth/${event.submitter.value}`, { json });
    event.target.reset();
    setSession({ token: answer.access_token, user: answer.user });
    await enter();
  });
});

find("#leave").addEventListener("click", () => attempt(async () => {
  await ask("POST", "auth/logout");
  leave();
  say("You are signed out.");
}));

whenEnded((message) => {
  leave();
  say(message, true);
});

// Pictures

async function more() {
  const { images, next_cursor } = await ask("GET", `users/me/images?limit=${PAGE}${next ? `&cursor=${next}` : ""}`);
  const known = new Set([...pictures.children].map((item) => item.dataset.id)); // Uploaded in the meantime.
  pictures.append(...images.filter((image) => !known.has(image.id)).map(card));
  next = next_cursor;
  find("#more").hidden = next === null;
  count();
}

function count() {
  find("#empty").hidden = pictures.children.length > 0;
}

function card(image) {
  const item = find("#picture").content.cloneNode(true).firstElementChild;
  const picture = find("img", item);
  item.dataset.id = image.id;
  find("a", item).href = absolute(image.url);
  // The transform door renders what fits here; the thumbnails of the service would do as well once they are ready.
  picture.src = absolute(`/img/${image.id}?variant=medium`);
  picture.alt = image.filename;
  if (image.dominant_color) picture.style.backgroundColor = image.dominant_color;
  const name = find("strong", item);
  name.textContent = name.title = image.filename;
  name.id = `picture-${image.id}`;
  find("small", item).textContent = `${image.width} × ${image.height}, ${Math.ceil(image.file_size / 1000)} KB`;
  const [share, remove] = [find(".share", item), find(".delete", item)];
  for (const button of [share, remove]) button.setAttribute("aria-describedby", name.id);
  share.addEventListener("click", () => attempt(() => shareOne(image, item)));
  remove.addEventListener("click", () => attempt(() => removeOne(image, item)));
  return item;
}

async function shareOne(image, item) {
  const link = await ask("POST", `images/${image.id}/share`, { json: { expires_in: 3600 } });
  const place = find(".link", item);
  place.hidden = false;
  find("input", place).value = absolute(link.image_url);
  find("input", place).select();
  say("Whoever has the link sees the picture for an hour.");
}

async function removeOne(image, item) {
  if (!(await sure(`${image.filename} and its links will be gone for good.`))) return;
  await ask("DELETE", `images/${image.id}`);
  const beside = item.nextElementSibling ?? item.previousElementSibling;
  item.remove();
  count();
  (beside ? find("a", beside) : find("#files")).focus();
  say(`${image.filename} is gone.`);
}

function sure(question) {
  const dialog = find("#sure");
  find("p", dialog).textContent = question;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

find("#more").addEventListener("click", () => attempt(more));

// Uploads

uploads.connect((image) => {
  pictures.querySelector(`[data-id="${image.id}"]`)?.remove();
  pictures.prepend(card(image));
  count();
}, say);

const choice = find("#files");
const drop = find(".drop");
choice.addEventListener("change", () => {
  uploads.upload(choice.files);
  choice.value = "";
});
for (const name of ["dragover", "dragleave", "drop"]) {
  drop.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", name === "dragover");
    if (name === "drop") uploads.upload(event.dataTransfer.files);
  });
}

if (signedIn()) attempt(enter);
