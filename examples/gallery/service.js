// Talking to the image service: JSON by fetch, bytes by XMLHttpRequest, which alone tells how many have gone.
import { SERVICE } from "./config.js";

const SESSION = "gallery-session";
const BASE = `${SERVICE}/api/v1/`;

// Who is signed in: { token, user }, or null. It outlives a reload, and ends with the tab.
let session = JSON.parse(sessionStorage.getItem(SESSION));
let ended = () => {};

export const signedIn = () => session?.user ?? null;
export const absolute = (address) => new URL(address, BASE).href;

export function setSession(found) {
  session = found;
  if (found) sessionStorage.setItem(SESSION, JSON.stringify(found));
  else sessionStorage.removeItem(SESSION);
}

/** Call `work` with a message when the service knows the session no more. */
export function whenEnded(work) {
  ended = work;
}

/** What the service would not do. `status` is 0 where it gave no answer; `wait` is in seconds, or null. */
export class Refusal extends Error {
  constructor(status, message, wait = null) {
    super(message);
    this.status = status;
    this.wait = wait;
  }

  /** Whether the same request may be answered otherwise a little later. */
  get passes() {
    return this.status === 0 || this.status === 408 || this.status === 429 || this.status >= 500;
  }
}

function silence() {
  return new Refusal(0, `${SERVICE} gives no answer that this page may read.`);
}

function refusal(status, text, retryAfter) {
  const wait = retryAfter === null ? null : Number(retryAfter);
  let message = `The service answered ${status}.`; // The addresses of parts are S3's: they refuse in XML.
  try {
    message = JSON.parse(text).error.message;
  } catch {}
  if (status === 401 && session) {
    message = "Your session has ended. Please sign in again.";
    ended(message);
  }
  return new Refusal(status, wait ? `${message} (in ${wait} s)` : message, wait);
}

/** Ask for JSON. `path` is below /api/v1, or an address that the service gave. */
export async function ask(method, path, { json, signal } = {}) {
  const headers = {};
  if (session) headers.Authorization = `Bearer ${session.token}`;
  if (json) headers["Content-Type"] = "application/json";
  let answer, text;
  try {
    answer = await fetch(absolute(path), { method, headers, signal, body: json && JSON.stringify(json) });
    text = await answer.text();
  } catch (error) {
    throw error.name === "AbortError" ? error : silence();
  }
  if (!answer.ok) throw refusal(answer.status, text, answer.headers.get("Retry-After"));
  return text ? JSON.parse(text) : null;
}

/** Send bytes or a form; `progress` is told how many bytes have gone. Gives the text of the answer. */
export function send(method, path, body, { signal, progress, authorized = true }) {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const request = new XMLHttpRequest();
    const abort = () => request.abort();
    request.open(method, absolute(path));
    if (authorized) request.setRequestHeader("Authorization", `Bearer ${session.token}`);
    request.upload.onprogress = (event) => progress(event.loaded);
    request.onload = () => {
      const { status, responseText } = request;
      if (status >= 200 && status < 300) resolve(responseText);
      else reject(refusal(status, responseText, request.getResponseHeader("Retry-After")));
    };
    request.onerror = () => reject(silence());
    request.onabort = () => reject(new DOMException("It was stopped.", "AbortError"));
    request.onloadend = () => signal.removeEventListener("abort", abort);
    signal.addEventListener("abort", abort);
    request.send(body);
  });
}
