// A gallery over the image service with nothing but fetch: sign in, upload, show, share, delete.
import { SERVICE } from "./config.js";

const find = (selector, within = document) => within.querySelector(selector);
const absolute = (address) => new URL(address, SERVICE).href;
let token = null; // Kept in memory only: whoever reloads the page signs in again.

async function ask(method, path, options = {}) {
  const headers = { ...options.headers };
  if (token) headers.Authorization = `Bearer ${token}`;
  const answer = await fetch(`${SERVICE}/api/v1/${path}`, { ...options, method, headers });
  if (answer.ok) return answer.status === 204 ? null : answer.json();
  const { error } = await answer.json();
  const again = answer.headers.get("Retry-After");
  throw new Error(again ? `${error.message} (in ${again} s)` : error.message);
}

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

function enter(user) {
  find("#door").hidden = true;
  find("#upload").hidden = find("#who").hidden = false;
  find("#email").textContent = user.email;
  say("");
}

function leave() {
  token = null;
  find("#door").hidden = false;
  find("#upload").hidden = find("#who").hidden = true;
  find("#pictures").replaceChildren();
}

async function list() {
  const { images } = await ask("GET", "users/me/images?limit=50");
  find("#pictures").replaceChildren(...images.map(card));
}

function card(image) {
  const item = find("#picture").content.cloneNode(true).firstElementChild;
  const picture = find("img", item);
  item.dataset.id = image.id;
  find("a", item).href = absolute(image.url);
  // The transform door renders what fits here; the thumbnails of the service would do as well once they are ready.
  picture.src = `${SERVICE}/img/${image.id}?variant=medium`;
  picture.alt = image.filename;
  if (image.dominant_color) picture.style.backgroundColor = image.dominant_color;
  find("strong", item).textContent = image.filename;
  find("small", item).textContent = `${image.width} × ${image.height}, ${Math.ceil(image.file_size / 1000)} KB`;
  find(".share", item).addEventListener("click", () => attempt(() => share(image, item)));
  find(".delete", item).addEventListener("click", () => attempt(() => remove(image, item)));
  return item;
}

async function share(image, item) {
  const link = await ask("POST", `images/${image.id}/share`, {
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ expires_in: 3600 }),
  });
  const place = find(".link", item);
  place.hidden = false;
  find("input", place).value = absolute(link.image_url);
  find("input", place).select();
  say("Whoever has the link sees the picture for an hour.");
}

async function remove(image, item) {
  await ask("DELETE", `images/${image.id}`);
  item.remove();
  say(`${image.filename} is gone.`);
}

async function upload(files) {
  for (const file of files) {
    say(`Uploading ${file.name}…`);
    const form = new FormData();
    form.append("visibility", "unlisted"); // Before the file: what follows it is known only when all of it is there.
    form.append("file", file);
    const image = await ask("POST", "images/upload", { body: form });
    find("#pictures").prepend(card(image));
    say(`${file.name} is there.`);
  }
}

find("#door").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(async () => {
    const { email, password } = Object.fromEntries(new FormData(event.target));
    const answer = await ask("POST", `auth/${event.submitter.value}`, {
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ email, password }),
    });
    token = answer.access_token;
    enter(answer.user);
    await list();
  });
});

find("#leave").addEventListener("click", () => attempt(async () => {
  await ask("POST", "auth/logout");
  leave();
}));

const choice = find("#upload input");
const drop = find(".drop");
choice.addEventListener("change", () => attempt(async () => {
  await upload(choice.files);
  choice.value = "";
}));
for (const name of ["dragover", "dragleave", "drop"]) {
  drop.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", name === "dragover");
    if (name === "drop") attempt(() => upload(event.dataTransfer.files));
  });
}
