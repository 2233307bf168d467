// The drawing as bytes: 280 x 280 grey levels, ten by ten for each cell of the model's 28 x 28.

const CELL = 10;
const SIDE = 28 * CELL;
const AREA = SIDE * SIDE;
const LIKE = 40; // grey levels that a fill takes for the same ground

const inside = (value) => Math.min(SIDE - 1, Math.max(0, Math.floor(value)));
const middle = (value) => (Math.floor(value / CELL) + 0.5) * CELL;
const cell = (i) => 28 * Math.floor(i / SIDE / CELL) + Math.floor((i % SIDE) / CELL);
const cellOf = Uint16Array.from(Array(AREA).keys(), cell);

// Its run-length code: pairs of (count 1..255, grey), in base64.
function encode(pixels) {
  let runs = "";
  for (let i = 0; i < AREA; ) {
    const start = i;
    while (i < AREA && i - start < 255 && pixels[i] === pixels[start]) i++;
    runs += String.fromCharCode(i - start, pixels[start]);
  }
  return btoa(runs);
}

function decode(code) {
  try {
    const runs = atob(code);
    const pixels = new Uint8Array(AREA);
    let at = 0;
    for (let i = 0; i < runs.length; i += 2) pixels.fill(runs.charCodeAt(i + 1), at, (at += runs.charCodeAt(i)));
    return at === AREA ? pixels : null;
  } catch {
    return null;
  }
}

// Covers a capsule. Coverage is the greatest within the stroke, not the sum: a slow hand leaves no thicker edge than a
// quick one. A hard edge is one pixel wide; by cells it has no width.
function capsule(pixels, { base, cover, grey, soft, cells }, from, to, radius) {
  const centre = cells ? middle : (value) => value + 0.5;
  const fade = soft ? radius : cells ? 0.001 : 1;
  const reach = radius + (cells ? CELL : 1);
  const first = (a, b) => Math.max(0, Math.floor(Math.min(a, b) - reach));
  const end = (a, b) => Math.min(SIDE, Math.ceil(Math.max(a, b) + reach));
  const dx = to.x - from.x;
  const dy = to.y - from.y;
  const length = dx * dx + dy * dy || 1;
  for (let row = first(to.y, from.y); row < end(to.y, from.y); row++) {
    for (let column = first(to.x, from.x); column < end(to.x, from.x); column++) {
      const px = centre(column) - from.x;
      const py = centre(row) - from.y;
      const along = Math.min(1, Math.max(0, (px * dx + py * dy) / length));
      const part = (radius + 0.5 - Math.hypot(px - along * dx, py - along * dy)) / fade;
      const i = row * SIDE + column;
      const share = Math.min(255, Math.round(255 * part));
      if (share > cover[i]) {
        cover[i] = share;
        const value = Math.round(base[i] + ((grey - base[i]) * share) / 255);
        pixels[i] = grey || value > 24 ? value : 0; // an eraser leaves no invisible rest
      }
    }
  }
}

// Fills what is alike and connected. The blurred rim of a stroke goes along, or a dark seam would stay.
function flood(pixels, { x, y }, grey, cells) {
  const filled = pixels.slice();
  const seen = new Uint8Array(AREA);
  const start = inside(y) * SIDE + inside(x);
  const ground = pixels[start];
  const next = [start];
  while (next.length) {
    const i = next.pop();
    if (seen[i]++) continue;
    if (Math.abs(pixels[i] - ground) > LIKE) {
      if (!cells) filled[i] = Math[grey > ground ? "max" : "min"](pixels[i], grey);
      continue;
    }
    filled[i] = grey;
    if (i % SIDE) next.push(i - 1);
    if ((i + 1) % SIDE) next.push(i + 1);
    if (i >= SIDE) next.push(i - SIDE);
    if (i < AREA - SIDE) next.push(i + SIDE);
  }
  return filled;
}

// Takes each pixel from where `from(x, y)` says; what lies outside is dark.
function remap(pixels, from) {
  return pixels.map((_, i) => {
    const [x, y] = from(i % SIDE, Math.floor(i / SIDE));
    return x < 0 || x >= SIDE ? 0 : (pixels[y * SIDE + x] ?? 0);
  });
}

// Gives every pixel the average of its cell.
function averaged(pixels) {
  const sums = new Uint32Array(28 * 28);
  for (let i = 0; i < AREA; i++) sums[cellOf[i]] += pixels[i];
  return pixels.map((_, i) => Math.round(sums[cellOf[i]] / CELL / CELL));
}
