// One file on its way to the service: whole, or in parts that can stop and go on. Knows nothing of the page.
import { ask, send, signedIn } from "./service.js";
import { forget, remember } from "./remembered.js";

const LARGE = 5_000_000; // Bytes. Larger files go in parts.
const VISIBILITY = "unlisted";
const LONGEST_WAIT = 5; // Seconds between attempts while the service does not answer.
const PATIENCE = 60; // Seconds that the service may ask us to wait before we ask the user instead.
const REFUSALS = 3; // Addresses of parts end after a while; new ones are refused for another reason.

/**
 * `state` is one of
 *   waiting    for its turn
 *   sending
 *   retrying   the service did not answer; it is asked again and again
 *   finishing  all bytes are there, the image is being made of them
 *   paused     by the user
 *   absent     it was begun before this page was loaded; the file has to be chosen again
 *   failed     `error` says why; `run` tries again
 *   done       `image` is what became of it
 * `changed` is called after each change of the state, and of `sent`, the bytes that have gone.
 */
export class Transfer {
  constructor({ name, size, modified }, changed) {
    Object.assign(this, { name, size, modified, changed });
    Object.assign(this, { state: "waiting", sent: 0, landed: 0, file: null, id: null, image: null, error: null });
  }

  static of(file, changed) {
    const transfer = new Transfer({ name: file.name, size: file.size, modified: file.lastModified }, changed);
    transfer.file = file;
    return transfer;
  }

  /** One that was begun before; `run` asks how far it came. */
  static resume(kept, changed) {
    return Object.assign(new Transfer(kept, changed), { id: kept.id });
  }

  get inParts() {
    return this.size > LARGE || this.id !== null;
  }

  fits(file) {
    return file.name === this.name && file.size === this.size && file.lastModified === this.modified;
  }

  /** Until it is done, paused, absent or failed. */
  async run() {
    this.stopped = new AbortController();
    const { signal } = this.stopped;
    for (let attempt = 0, refusals = 0; ; attempt++) {
      const before = this.landed;
      try {
        this.become("sending");
        const image = await (this.inParts ? this.sendParts(signal) : this.sendWhole(signal));
        if (image) this.become("done", { image });
        return;
      } catch (error) {
        if (signal.aborted) return;
        if (this.landed > before) attempt = refusals = 0;
        const again = error.passes || (error.status === 403 && this.id !== null && ++refusals < REFUSALS);
        // Nobody knows whether a form without an answer has arrived: sent again, it might be there twice.
        const harmless = this.inParts || error.wait !== null;
        if (!again || !harmless || error.wait > PATIENCE) return this.become("failed", { error });
        this.become("retrying", { error, sent: this.landed });
        await this.pass(error.wait ?? Math.min(2 ** attempt, LONGEST_WAIT), signal);
        if (signal.aborted) return;
      }
    }
  }

  pause() {
    this.become("paused", { sent: this.landed });
    this.stopped?.abort();
  }

  /** Stop, and have the service forget what it has. */
  async cancel() {
    this.pause();
    const id = this.id;
    if (id === null) return;
    this.lose();
    await ask("DELETE", `images/uploads/${id}`).catch((error) => {
      if (error.status !== 404) throw error;
    });
  }

  async sendWhole(signal) {
    const form = new FormData();
    form.append("visibility", VISIBILITY); // Before the file: what follows it is known only when all of it is there.
    form.append("file", this.file);
    const progress = (loaded) => this.arrived(Math.min(loaded, this.size)); // A form is a little more than its file.
    return JSON.parse(await send("POST", "images/upload", form, { signal, progress }));
  }

  async sendParts(signal) {
    const upload = await this.begun(signal);
    if (!upload) return void this.become("absent");
    this.landed = upload.size - upload.parts.reduce((sum, part) => sum + part.size, 0);
    this.arrived(0);
    for (const { number, size, url } of upload.parts) {
      if (!this.file) return void this.become("absent");
      const start = (number - 1) * upload.part_size;
      const piece = this.file.slice(start, start + size);
      // Fails where the file has changed meanwhile; sending would not tell that from a lost connection.
      await piece.slice(0, 1).arrayBuffer();
      await send("PUT", url, piece, { signal, progress: (loaded) => this.arrived(loaded), authorized: false });
      this.landed += size;
      this.arrived(0);
    }
    this.become("finishing");
    // Where the answer is lost it is asked for again, and will be the same.
    const image = await ask("POST", upload.complete_url, { json: { visibility: VISIBILITY }, signal });
    this.lose();
    return image;
  }

  /**
   * The upload as the service knows it: which parts are missing, and where they go. Begun anew where it has ended;
   * null where there is no file for that.
   */
  async begun(signal) {
    const found = this.id !== null && (await this.found(signal));
    if (found) return found;
    this.lose();
    this.landed = this.sent = 0;
    if (!this.file) return null;
    const upload = await ask("POST", "images/uploads", { json: { filename: this.name, size: this.size }, signal });
    this.id = upload.upload_id;
    remember(this.id, signedIn().id, this);
    return upload;
  }

  async found(signal) {
    try {
      return await ask("GET", `images/uploads/${this.id}`, { signal });
    } catch (error) {
      if (error.status === 404) return null;
      throw error;
    }
  }

  lose() {
    forget(this.id);
    this.id = null;
  }

  /** Let time pass, but no longer than until the network is back. */
  pass(seconds, signal) {
    return new Promise((resolve) => {
      const go = () => {
        clearTimeout(timer);
        removeEventListener("online", go);
        signal.removeEventListener("abort", go);
        resolve();
      };
      const timer = setTimeout(go, seconds * 1000);
      addEventListener("online", go);
      signal.addEventListener("abort", go);
    });
  }

  /** So many bytes have gone, beside those that are there for good. */
  arrived(loaded) {
    this.sent = this.landed + loaded;
    this.changed(this);
  }

  become(state, more = {}) {
    Object.assign(this, { state, error: null }, more);
    this.changed(this);
  }
}
