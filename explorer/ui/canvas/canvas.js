// The element. Nothing is read back from the browser's canvas, which some browsers blur on purpose: what is sent is
// exactly what was painted.

const INTERVAL = 100; // ms between two messages, at least
const PATIENCE = 2000; // ms to wait for an answer before the next part of a stroke goes out
const HISTORY = 60;
const LARGEST = 512; // pixels, side of a pasted picture
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const drawings = new Map(); // outlives the element, so a page switch loses nothing

export default function ({ parentElement, data, setStateValue, setTriggerValue }) {
  const root = parentElement.querySelector(".canvas-tool");
  const tool = (root.tool ??= new Canvas(root, data));
  tool.raise = setTriggerValue;
  tool.update(data, (value) => setStateValue("drawing", value));
  // Streamlit also calls this after a mere rerun: only an element that has really gone is closed.
  return () => setTimeout(() => root.isConnected || tool.close());
}

// What the browser remembers survives a reload of the page.
function recall(slot) {
  if (drawings.has(slot)) return drawings.get(slot);
  const drawing = { pixels: new Uint8Array(AREA), revision: 0, generation: "", placed: false, undo: [], redo: [] };
  drawing.strokes = drawing.milliseconds = 0;
  try {
    const { code, ...kept } = JSON.parse(sessionStorage.getItem(slot));
    const pixels = decode(code);
    if (pixels) Object.assign(drawing, kept, { pixels });
  } catch {
    // Nothing kept, or no storage: the server's copy stands in.
  }
  drawings.set(slot, drawing);
  return drawing;
}

class Canvas {
  constructor(root, data) {
    this.root = root;
    this.slot = `explorer.canvas.${data.key}`;
    this.drawing = recall(this.slot);
    this.pen = this.drawing.pen ??= { tool: "brush", size: data.size / CELL, grey: data.grey };
    this.find = (selector) => root.querySelector(selector);
    this.surface = this.find("canvas");
    this.context = this.surface.getContext("2d");
    this.image = this.context.createImageData(SIDE, SIDE);
    this.shown = new Uint32Array(this.image.data.buffer);
    this.paster = this.find("[data-do=paste]");
    this.hint = this.find(".note");
    this.ring = this.find(".ring");
    this.bars = new Bars(this.find(".bars"));
    this.cursor = { x: 145, y: 145 };
    this.stroke = this.waiting = null;
    this.sent = this.answered = -1;
    this.sentAt = 0;
    this.ending = new AbortController();
    this.listen();
    this.setPen({});
    if (!navigator.clipboard?.read) this.paster.title = this.hint.dataset.closed;
  }

  listen() {
    const surface = this.surface;
    surface.onpointerdown = (event) => this.press(event);
    surface.onpointermove = (event) => this.move(event);
    surface.onpointerup = surface.onlostpointercapture = (event) => this.lift(event.pointerId);
    surface.onpointerleave = () => this.stroke || (this.ring.hidden = true);
    surface.oncontextmenu = (event) => event.preventDefault();
    surface.onkeydown = (event) => this.type(event);
    surface.onkeyup = (event) => event.key === " " && this.lift("keyboard");
    surface.onfocus = () => surface.matches(":focus-visible") && this.showRing(this.cursor);
    surface.onblur = () => {
      this.lift("keyboard");
      this.ring.hidden = true;
    };
    const tools = this.find(".tools");
    tools.onclick = ({ target }) => this.act(target.closest("button"));
    tools.oninput = ({ target }) => this.setPen({ [target.name]: +target.value });
    const { signal } = this.ending;
    addEventListener("pagehide", () => this.keep(), { signal });
    addEventListener("paste", (event) => this.drop(event), { signal }); // browsers do not tell the canvas
  }

  close() {
    this.lift(this.stroke?.id);
    clearTimeout(this.timer);
    this.keep();
    this.ending.abort();
  }

  // -- what comes from the server

  update(data, send) {
    const first = !this.send;
    this.send = send;
    const theirs = data.drawing;
    const mine = this.drawing;
    const known = theirs.generation === mine.generation;
    // A server that knows less than it once answered is a new one: it is told what is there, as a change, or it
    // would take no notice.
    const restarted = !first && (known ? theirs.revision < this.answered : theirs.generation === "");
    if (restarted) mine.revision++;
    if (first || restarted) this.sent = this.answered = known ? theirs.revision : -1;
    else if (known) this.answered = Math.max(this.answered, theirs.revision);
    const replaced = theirs.generation !== "" && theirs.generation !== mine.generation;
    const forgotten = first && theirs.generation === mine.generation && theirs.revision > mine.revision;
    if (replaced || forgotten) this.waiting = theirs;
    this.replace();
    if (this.fenced !== data.fenced) {
      this.fenced = data.fenced;
      this.refresh();
    }
    const likely = this.bars.show(data.bars);
    this.find(".answer").textContent = likely;
    if (likely) this.say(likely, 800);
    this.paster.hidden = !data.paste;
    this.message = data.message;
    this.note(this.trouble);
    this.pump();
  }

  replace() {
    if (!this.waiting || this.stroke) return; // never under a moving pen
    const { code, revision, ...rest } = this.waiting;
    this.waiting = null;
    const pixels = decode(code);
    if (!pixels) return;
    const mine = this.drawing;
    if (mine.pixels.some(Boolean)) this.snapshot();
    Object.assign(mine, rest, { pixels, revision: Math.max(revision, mine.revision) });
    this.sent = this.answered = mine.revision;
    this.trouble = null;
    this.refresh();
    this.keep();
  }

  // Shows the server's words, or the browser's own trouble by its name, or else the keys.
  note(trouble) {
    this.trouble = trouble;
    const words = this.message || this.hint.dataset[trouble];
    this.hint.textContent = words || this.hint.dataset.keys;
    this.hint.classList.toggle("problem", !!words);
    if (words) this.say(words);
  }

  // -- what goes to the server

  changed() {
    this.drawing.revision++;
    this.refresh();
    this.pump();
  }

  // A moving pen waits for the answer to the last message, or a slow server would be interrupted over and over; a
  // finished stroke goes out as soon as the interval allows. The newest state is sent when the wait ends.
  pump() {
    clearTimeout(this.timer);
    if (this.drawing.revision <= this.sent) return;
    const pause = this.stroke && this.answered < this.sent ? PATIENCE : INTERVAL;
    const left = this.sentAt + pause - performance.now();
    if (left > 0) this.timer = setTimeout(() => this.pump(), left);
    else {
      this.sent = this.drawing.revision;
      this.sentAt = performance.now();
      this.send(this.keep());
    }
  }

  keep() {
    const { pixels, undo, redo, pen, ...rest } = this.drawing;
    const value = { code: encode(pixels), ...rest };
    try {
      sessionStorage.setItem(this.slot, JSON.stringify(value));
    } catch {
      // Full or switched off: memory and server have it.
    }
    return value;
  }

  // -- painting

  press(event) {
    if (this.stroke || ![0, 5].includes(event.button)) return;
    this.surface.setPointerCapture(event.pointerId);
    this.begin(event.pointerId, event.button === 5);
    this.follow(event);
    this.refresh();
  }

  move(event) {
    if (this.stroke?.id === event.pointerId) {
      const parts = event.getCoalescedEvents?.() ?? [];
      for (const part of parts.length ? parts : [event]) this.follow(part);
      this.changed();
    }
    if (event.pointerType !== "touch") this.showRing(this.locate(event));
  }

  locate({ clientX, clientY }) {
    const { left, top, width, height } = this.surface.getBoundingClientRect();
    return { x: (SIDE * (clientX - left)) / width, y: (SIDE * (clientY - top)) / height };
  }

  follow(event) {
    const pressure = event.pointerType === "pen" && event.pressure > 0 ? 0.4 + 1.2 * event.pressure : 1;
    this.paint(this.locate(event), pressure);
  }

  begin(id, erase = false) {
    this.snapshot();
    this.note();
    this.drawing.strokes++;
    const base = this.drawing.pixels.slice();
    this.stroke = { ...this.pen, id, base, cover: new Uint8Array(AREA), last: null, since: performance.now() };
    if (erase || this.pen.tool === "eraser") this.stroke.grey = 0;
  }

  paint(point, pressure = 1) {
    const stroke = this.stroke;
    const { tool, base, cover, grey, last, cells, size } = stroke;
    const to = cells ? { x: middle(point.x), y: middle(point.y) } : point;
    const isLine = tool === "line";
    if (isLine) {
      this.drawing.pixels.set(base);
      cover.fill(0);
    }
    if (tool !== "fill") capsule(this.drawing.pixels, stroke, last ?? to, to, (size * CELL * pressure) / 2);
    else if (!last) this.drawing.pixels = flood(base, point, grey, cells);
    stroke.last = (isLine && last) || to;
  }

  lift(id) {
    if (!this.stroke || this.stroke.id !== id) return;
    this.drawing.milliseconds += Math.round(performance.now() - this.stroke.since);
    this.stroke = null;
    this.changed();
    this.replace();
  }

  refresh() {
    const { pixels } = this.drawing;
    const source = this.pen.cells ? averaged(pixels) : pixels;
    for (let i = 0; i < AREA; i++) this.shown[i] = 0xff000000 | (0x010101 * source[i]);
    this.context.putImageData(this.image, 0, 0);
    const able = { "with=undo": this.reaches("undo"), "with=redo": this.reaches("redo"), "do=clear": pixels.some(Boolean) };
    for (const name in able) this.find(`[data-${name}]`).ariaDisabled = !able[name];
  }

  // -- tools

  act(button) {
    if (!button || button.ariaDisabled === "true" || this.stroke) return;
    this[button.dataset.do](button.dataset.with);
    this.say(`${button.ariaLabel} ${{ true: "on", false: "off" }[button.ariaPressed] ?? ""}`);
  }

  tool(tool) {
    this.setPen({ tool });
  }

  turn(name) {
    this.setPen({ [name]: !this.pen[name] });
  }

  setPen(change) {
    const pen = Object.assign(this.pen, change);
    for (const button of this.root.querySelectorAll("[aria-pressed]")) {
      const name = button.dataset.with;
      button.ariaPressed = pen.tool === name || pen[name] === true;
    }
    for (const slider of this.root.querySelectorAll("input")) {
      slider.value = slider.nextElementSibling.textContent = pen[slider.name];
    }
    this.refresh();
  }

  state() {
    const { pixels, placed, strokes, generation } = this.drawing;
    return { code: encode(pixels), placed, strokes, since: generation };
  }

  // In a round of a challenge the way back ends where it began.
  reaches(history) {
    const next = this.drawing[history].at(-1);
    return !!next && (!this.fenced || next.since === this.drawing.generation);
  }

  snapshot() {
    this.drawing.undo.push(this.state());
    this.drawing.undo.splice(0, this.drawing.undo.length - HISTORY);
    this.drawing.redo.length = 0;
  }

  travel(from) {
    const { code, since, ...rest } = this.drawing[from].pop();
    this.drawing[from === "undo" ? "redo" : "undo"].push(this.state());
    Object.assign(this.drawing, rest, { pixels: decode(code) });
    this.changed();
  }

  put(pixels, change) {
    this.snapshot();
    Object.assign(this.drawing, { pixels }, change);
    this.changed();
  }

  clear() {
    this.put(new Uint8Array(AREA), { placed: false, strokes: 0 });
  }

  shift(key) {
    const [dx, dy] = STEPS[key];
    this.put(remap(this.drawing.pixels, (x, y) => [x - dx * CELL, y - dy * CELL]));
  }

  mirror() {
    this.put(remap(this.drawing.pixels, (x, y) => [SIDE - 1 - x, y]));
  }

  // -- a picture from the clipboard, for Python to prepare

  async paste() {
    if (!navigator.clipboard?.read) {
      this.note("closed");
      this.raise("upload", true);
      return;
    }
    try {
      for (const item of await navigator.clipboard.read()) {
        const type = item.types.find((name) => name.startsWith("image/"));
        if (type) return this.take(await item.getType(type));
      }
      this.note("empty");
    } catch {
      this.note("refused");
    }
  }

  drop(event) {
    if (this.paster.hidden || !this.root.contains(this.root.getRootNode().activeElement)) return;
    event.preventDefault();
    this.take(event.clipboardData.files[0]);
  }

  async take(file) {
    try {
      const picture = await createImageBitmap(file);
      const scale = Math.min(1, LARGEST / Math.max(picture.width, picture.height));
      const [width, height] = [picture.width, picture.height].map((length) => Math.max(1, length * scale));
      const sheet = Object.assign(document.createElement("canvas"), { width, height });
      const context = sheet.getContext("2d");
      context.imageSmoothingQuality = "high";
      context.drawImage(picture, 0, 0, width, height);
      this.raise("picture", sheet.toDataURL("image/png").split(",")[1]);
    } catch {
      this.note("empty");
    }
  }

  // -- keyboard

  type(event) {
    const { key, shiftKey, altKey } = event;
    const command = event.ctrlKey || event.metaKey;
    const held = (command ? "Control+" : "") + (altKey ? "Alt+" : "") + (shiftKey ? "Shift+" : "");
    const name = CSS.escape(held + (key.length > 1 ? key : key.toUpperCase()));
    const button = this.find(`[aria-keyshortcuts~="${name}"]`);
    if (button) this.act(button);
    else if (key === " ") {
      if (!this.stroke) {
        this.begin("keyboard");
        this.dab();
      }
      this.showRing(this.cursor);
    } else if (STEPS[key] && !command && !altKey) this.walk(STEPS[key], shiftKey ? 5 : 1);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  walk([dx, dy], pace) {
    const x = middle(inside(this.cursor.x + dx * pace * CELL));
    const y = middle(inside(this.cursor.y + dy * pace * CELL));
    this.cursor = { x, y };
    if (this.stroke?.id === "keyboard") this.dab();
    this.showRing(this.cursor);
    this.say(`Row ${Math.ceil(y / CELL)}, column ${Math.ceil(x / CELL)}.`);
  }

  dab() {
    this.paint(this.cursor);
    this.changed();
  }

  showRing({ x, y }) {
    const share = (value) => `${(100 * value) / SIDE}%`;
    const size = share(this.pen.tool === "fill" ? CELL : Math.max(this.pen.size * CELL, 6));
    this.ring.hidden = false;
    Object.assign(this.ring.style, { width: size, height: size, left: share(x), top: share(y) });
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
