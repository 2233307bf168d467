// A drawing surface that keeps its own 280 x 280 grey raster: nothing is read back from the browser's canvas (which
// some browsers blur on purpose), so what is sent is exactly what was painted.

const SIDE = 280;
const CELL = 10;
const INTERVAL = 100; // ms, least time between two messages
const PATIENCE = 2000; // ms to wait for the server's answer before sending the next part of a stroke
const HISTORY = 60;
const HINT = "Keys: arrows move, Space paints, Ctrl+Z undoes.";

const drawings = new Map(); // by key; outlives the element, so a page switch loses nothing
const mounted = new WeakMap(); // by parent element

export default function ({ parentElement, data, setStateValue }) {
  let tool = mounted.get(parentElement);
  if (!tool || !tool.root.isConnected) {
    tool?.close();
    tool = new Canvas(parentElement.querySelector(".canvas-tool"), data);
    mounted.set(parentElement, tool);
  }
  tool.update(data, (value) => setStateValue("drawing", value));
  // Streamlit may also call this after a mere rerun: only an element that has really gone is closed.
  return () => setTimeout(() => tool.root.isConnected || tool.close());
}

// ---- the raster and its run-length code: pairs of (count 1..255, grey), in base64 ---------------------------------

function encode(pixels) {
  const runs = [];
  for (let i = 0; i < pixels.length; ) {
    const grey = pixels[i];
    const start = i;
    while (i < pixels.length && i - start < 255 && pixels[i] === grey) i++;
    runs.push(i - start, grey);
  }
  let text = "";
  for (let i = 0; i < runs.length; i += 8192) text += String.fromCharCode(...runs.slice(i, i + 8192));
  return btoa(text);
}

function decode(code) {
  try {
    const runs = atob(code);
    const pixels = new Uint8Array(SIDE * SIDE);
    let at = 0;
    for (let i = 0; i < runs.length; i += 2) {
      const end = at + runs.charCodeAt(i);
      pixels.fill(runs.charCodeAt(i + 1), at, end);
      at = end;
    }
    return at === pixels.length ? pixels : null;
  } catch {
    return null;
  }
}

const blank = () => ({ pixels: new Uint8Array(SIDE * SIDE), revision: 0, generation: "", placed: false, undo: [], redo: [] });

// ---- memory of the browser: survives a reload of the page -----------------------------------------------------

const slot = (key) => `explorer.canvas.${key}`;

function recall(key) {
  if (drawings.has(key)) return drawings.get(key);
  const drawing = blank();
  try {
    const kept = JSON.parse(sessionStorage.getItem(slot(key)));
    const pixels = kept && decode(kept.code);
    if (pixels && Number.isSafeInteger(kept.revision)) {
      Object.assign(drawing, { pixels, revision: kept.revision, generation: String(kept.generation), placed: kept.placed === true });
    }
  } catch {
    // Storage may be switched off; the server's copy stands in.
  }
  drawings.set(key, drawing);
  return drawing;
}

function remember(key, value) {
  try {
    sessionStorage.setItem(slot(key), JSON.stringify(value));
  } catch {
    // Full or switched off: the drawing is still in memory and on the server.
  }
}

// ---- the element ------------------------------------------------------------------------------------------------

class Canvas {
  constructor(root, data) {
    this.root = root;
    this.key = data.key;
    this.drawing = recall(data.key);
    this.pen = this.drawing.pen ??= { size: data.size, grey: data.grey, erase: false };
    this.find = (selector) => root.querySelector(selector);
    this.surface = this.find("canvas");
    this.context = this.surface.getContext("2d");
    this.image = this.context.createImageData(SIDE, SIDE);
    this.ring = this.find(".ring");
    this.cursor = { x: 14, y: 14 };
    this.stroke = null;
    this.waiting = null;
    this.sent = this.answered = -1;
    this.sentAt = -Infinity;
    this.listen();
    this.setPen({});
    this.first = true;
  }

  listen() {
    const on = (target, names, handler) => {
      for (const name of names.split(" ")) target.addEventListener(name, handler);
    };
    const surface = this.surface;
    on(surface, "pointerdown", (event) => this.press(event));
    on(surface, "pointermove", (event) => this.move(event));
    on(surface, "pointerup pointercancel lostpointercapture", (event) => this.lift(event.pointerId));
    on(surface, "pointerleave", () => this.stroke || this.hideRing());
    on(surface, "contextmenu", (event) => event.preventDefault());
    on(surface, "keydown", (event) => this.type(event));
    on(surface, "keyup", (event) => event.key === " " && this.lift("keyboard"));
    on(surface, "focus", () => surface.matches(":focus-visible") && this.showCursor());
    on(surface, "blur", () => (this.lift("keyboard"), this.hideRing()));
    on(this.find(".tools"), "click", (event) => {
      const button = event.target.closest("button");
      if (button && button.ariaDisabled !== "true") this[button.dataset.do]();
    });
    on(this.find(".tools"), "input", ({ target }) => this.setPen({ [target.dataset.set]: Number(target.value) }));
    this.hide = () => this.keep();
    addEventListener("pagehide", this.hide);
  }

  close() {
    clearTimeout(this.timer);
    clearTimeout(this.speech);
    this.lift(this.stroke?.id);
    clearTimeout(this.timer);
    this.keep();
    removeEventListener("pagehide", this.hide);
  }

  // ---- what comes from the server

  update(data, send) {
    this.send = send;
    const theirs = data.drawing;
    const mine = this.drawing;
    if (theirs.generation === mine.generation) this.answered = Math.max(this.answered, theirs.revision);
    if (this.first) this.sent = this.answered;
    const replaced = theirs.generation !== "" && theirs.generation !== mine.generation;
    const forgotten = this.first && theirs.generation === mine.generation && theirs.revision > mine.revision;
    if (replaced || forgotten) this.waiting = theirs;
    if (this.first) this.refresh();
    this.first = false;
    this.replace();
    this.find(".note").textContent = data.message || HINT;
    this.find(".note").classList.toggle("problem", Boolean(data.message));
    this.showBars(data.bars);
    if (data.message) this.say(data.message);
    this.pump();
  }

  replace() {
    if (!this.waiting || this.stroke) return; // never under a moving pen
    const { code, revision, generation, placed } = this.waiting;
    this.waiting = null;
    const pixels = decode(code);
    if (!pixels) return;
    const mine = this.drawing;
    if (mine.pixels.some(Boolean)) this.snapshot();
    Object.assign(mine, { pixels, generation, placed, revision: Math.max(revision, mine.revision) });
    this.sent = this.answered = mine.revision;
    this.refresh();
    this.keep();
  }

  // ---- what goes to the server

  changed() {
    this.drawing.revision++;
    this.pump();
  }

  // A moving pen waits for the answer to the last message, so a slow server is not interrupted over and over;
  // a finished stroke goes out as soon as the interval allows. Whatever is newest when the wait ends is sent.
  pump() {
    clearTimeout(this.timer);
    if (!this.send || this.drawing.revision <= this.sent) return;
    const pause = this.stroke && this.answered < this.sent ? PATIENCE : INTERVAL;
    const left = this.sentAt + pause - performance.now();
    if (left > 0) {
      this.timer = setTimeout(() => this.pump(), left);
      return;
    }
    this.sent = this.drawing.revision;
    this.sentAt = performance.now();
    const value = this.keep();
    this.send(value);
  }

  keep() {
    const { pixels, revision, generation, placed } = this.drawing;
    const value = { code: encode(pixels), revision, generation, placed };
    remember(this.key, value);
    return value;
  }

  // ---- painting

  press(event) {
    if (this.stroke || event.button > 0 && event.button !== 5) return;
    this.surface.setPointerCapture(event.pointerId);
    this.begin(event.pointerId, event.button === 5);
    this.follow(event);
  }

  move(event) {
    if (this.stroke?.id === event.pointerId) {
      const parts = event.getCoalescedEvents?.() ?? [];
      for (const part of parts.length ? parts : [event]) this.follow(part);
      this.changed();
    }
    if (event.pointerType !== "touch") this.showRing(this.locate(event));
  }

  locate(event) {
    const box = this.surface.getBoundingClientRect();
    return { x: ((event.clientX - box.left) * SIDE) / box.width, y: ((event.clientY - box.top) * SIDE) / box.height };
  }

  follow(event) {
    const pressure = event.pointerType === "pen" && event.pressure > 0 ? 0.4 + 1.2 * event.pressure : 1;
    this.lineTo(this.locate(event), (this.pen.size / 2) * pressure);
  }

  begin(id, erase = false) {
    this.snapshot();
    const grey = erase || this.pen.erase ? 0 : this.pen.grey;
    this.stroke = { id, grey, base: this.drawing.pixels.slice(), cover: new Uint8Array(SIDE * SIDE), last: null };
  }

  lift(id) {
    if (!this.stroke || this.stroke.id !== id) return;
    this.stroke = null;
    this.refresh();
    this.changed();
    this.replace();
  }

  // Covers a capsule with a one-pixel soft edge. Coverage is the greatest within the stroke, not the sum, so a slow
  // hand leaves no thicker edge than a quick one.
  lineTo({ x, y }, radius) {
    const { base, cover, grey, last } = this.stroke;
    const from = last ?? { x, y };
    const dx = x - from.x;
    const dy = y - from.y;
    const length = dx * dx + dy * dy || 1;
    const reach = radius + 1;
    const clamp = (value) => Math.min(SIDE, Math.max(0, value));
    const [left, right] = [clamp(Math.floor(Math.min(x, from.x) - reach)), clamp(Math.ceil(Math.max(x, from.x) + reach))];
    const [top, bottom] = [clamp(Math.floor(Math.min(y, from.y) - reach)), clamp(Math.ceil(Math.max(y, from.y) + reach))];
    for (let row = top; row < bottom; row++) {
      for (let column = left; column < right; column++) {
        const px = column + 0.5 - from.x;
        const py = row + 0.5 - from.y;
        const along = Math.min(1, Math.max(0, (px * dx + py * dy) / length));
        const part = radius + 0.5 - Math.hypot(px - along * dx, py - along * dy);
        const i = row * SIDE + column;
        const share = Math.min(255, Math.round(255 * part));
        if (share > cover[i]) {
          cover[i] = share;
          const value = Math.round(base[i] + ((grey - base[i]) * share) / 255);
          this.drawing.pixels[i] = grey || value > 24 ? value : 0; // an eraser leaves no invisible rest
        }
      }
    }
    this.stroke.last = { x, y };
    this.show(left, top, right - left, bottom - top);
    if (grey) this.root.classList.add("inked");
  }

  show(left, top, width, height) {
    if (width <= 0 || height <= 0) return;
    const out = this.image.data;
    for (let row = top; row < top + height; row++) {
      for (let i = row * SIDE + left, end = i + width; i < end; i++) {
        out[4 * i] = out[4 * i + 1] = out[4 * i + 2] = this.drawing.pixels[i];
        out[4 * i + 3] = 255;
      }
    }
    this.context.putImageData(this.image, 0, 0, left, top, width, height);
  }

  refresh() {
    const { pixels, undo, redo } = this.drawing;
    const inked = pixels.some(Boolean);
    this.show(0, 0, SIDE, SIDE);
    this.root.classList.toggle("inked", inked);
    for (const [name, able] of [["undo", undo.length], ["redo", redo.length], ["clear", inked]]) {
      this.button(name).ariaDisabled = String(!able);
    }
  }

  // ---- tools

  button(name) {
    return this.find(`[data-do=${name}]`);
  }

  brush() {
    this.setPen({ erase: false });
  }

  eraser() {
    this.setPen({ erase: true });
  }

  setPen(change) {
    Object.assign(this.pen, change);
    this.button("brush").ariaPressed = String(!this.pen.erase);
    this.button("eraser").ariaPressed = String(this.pen.erase);
    for (const name of ["size", "grey"]) {
      const words = name === "size" ? `${(this.pen.size / CELL).toFixed(1)} cells` : String(this.pen.grey);
      const slider = this.find(`[data-set=${name}]`);
      slider.value = this.pen[name];
      slider.ariaValueText = words;
      this.find(`[data-of=${name}]`).textContent = words;
    }
  }

  state() {
    return { code: encode(this.drawing.pixels), placed: this.drawing.placed };
  }

  snapshot() {
    this.drawing.undo.push(this.state());
    this.drawing.undo.splice(0, this.drawing.undo.length - HISTORY);
    this.drawing.redo.length = 0;
  }

  undo() {
    this.travel("undo", "redo");
  }

  redo() {
    this.travel("redo", "undo");
  }

  travel(from, to) {
    const target = this.stroke ? null : this.drawing[from].pop();
    if (!target) return;
    this.drawing[to].push(this.state());
    Object.assign(this.drawing, { pixels: decode(target.code), placed: target.placed });
    this.refresh();
    this.changed();
    this.say(from === "undo" ? "Undone." : "Done again.");
  }

  clear() {
    if (this.stroke) return;
    this.snapshot();
    Object.assign(this.drawing, { pixels: new Uint8Array(SIDE * SIDE), placed: false });
    this.refresh();
    this.changed();
    this.say("The canvas is empty.");
  }

  // ---- keyboard

  type(event) {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    const command = event.ctrlKey || event.metaKey;
    const letter = event.key.toLowerCase();
    if (step && !command && !event.altKey) this.walk(step, event.shiftKey ? 5 : 1);
    else if (event.key === " ") this.dab(event.repeat);
    else if (command && letter === "z") event.shiftKey ? this.redo() : this.undo();
    else if (command && letter === "y") this.redo();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  walk([dx, dy], pace) {
    const inside = (value) => Math.min(SIDE / CELL - 1, Math.max(0, value));
    this.cursor = { x: inside(this.cursor.x + dx * pace), y: inside(this.cursor.y + dy * pace) };
    this.showCursor();
    if (this.stroke?.id === "keyboard") this.paintCursor();
    this.say(`Row ${this.cursor.y + 1}, column ${this.cursor.x + 1}.`);
  }

  dab(again) {
    if (again || this.stroke) return;
    this.showCursor();
    this.begin("keyboard");
    this.paintCursor();
  }

  centre() {
    return { x: (this.cursor.x + 0.5) * CELL, y: (this.cursor.y + 0.5) * CELL };
  }

  paintCursor() {
    this.lineTo(this.centre(), this.pen.size / 2);
    this.changed();
  }

  showCursor() {
    this.showRing(this.centre());
  }

  showRing({ x, y }) {
    const size = Math.max(this.pen.size, 6);
    this.ring.hidden = false;
    this.ring.style.cssText = `width:${size}px;height:${size}px;transform:translate(${x - size / 2}px,${y - size / 2}px)`;
  }

  hideRing() {
    this.ring.hidden = true;
  }

  // ---- bars

  showBars(bars) {
    const section = this.find(".bars");
    section.hidden = !bars;
    if (!bars) return;
    const look = JSON.stringify([bars.classes, bars.colours]);
    if (look !== this.look) {
      this.look = look;
      this.rows = bars.classes.map((name, index) => barRow(name, bars.colours[index]));
      this.find(".bars ol").replaceChildren(...this.rows.map((row) => row.item));
    }
    const shares = bars.probabilities;
    const top = shares ? shares.indexOf(Math.max(...shares)) : -1;
    this.rows.forEach((row, index) => {
      row.fill.style.transform = `scaleX(${shares ? shares[index] : 0})`;
      row.percent.textContent = shares ? `${(100 * shares[index]).toFixed(1)}%` : "\u2013";
      row.item.classList.toggle("top", index === top);
      row.item.classList.toggle("target", index === bars.target);
      row.mark.textContent = index === bars.target ? "target: " : "";
    });
    this.find(".key").hidden = bars.target === null;
    if (top >= 0) this.say(`Most likely: ${bars.classes[top]}, ${(100 * shares[top]).toFixed(1)} percent.`, 800);
  }

  // The newest words only, after a pause: a screen reader is not flooded while the pen moves.
  say(words, delay = 150) {
    clearTimeout(this.speech);
    this.speech = setTimeout(() => {
      const spoken = this.find(".spoken");
      if (spoken.textContent !== words) spoken.textContent = words;
    }, delay);
  }
}

function element(tag, name, ...children) {
  const made = document.createElement(tag);
  made.className = name;
  made.append(...children);
  return made;
}

function barRow(name, colour) {
  const mark = element("span", "spoken-inline");
  const label = element("span", "name", element("i", "mark"), mark, element("span", "text", name));
  const fill = element("span", "fill");
  fill.style.background = colour;
  const percent = element("span", "percent");
  const track = element("span", "track", fill);
  label.title = name;
  return { item: element("li", "", label, track, percent), fill, percent, mark };
}
