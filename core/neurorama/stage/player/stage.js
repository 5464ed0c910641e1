// The stage in a browser: a recorded run, one slider for time, and panes that all follow it.
//
//   const handle = mount(element, bytes, { plotly, theme: "light", onStep, onSelect, onEdit });
//   handle.update(moreBytes); handle.set({ step, selected, theme }); handle.destroy();
//
// `bytes` is what `neurorama.stage.describe.pack` wrote: arrays, and a description in the shape of schema.json.
// Plotly draws what stays (axes, their names, colour bars) and writes pictures to take away. What moves is painted
// on a canvas above it, from the same traces in plotly's schema: a redraw by plotly takes many times as long, and
// scrubbing must not stutter. Text from data reaches the page as textContent or fillText only, never as markup.

const TIME = "#D55E00"; // time, and nothing else, is vermilion
const RATE = 12; // steps a second at normal speed
const NEAR = 14; // pixels from which a pointer still means a mark
const MOST = 8; // items that can be selected at the same time

// ---------------------------------------------------------------- bytes

const KINDS = { F64: Float64Array, F32: Float32Array, I8: Int8Array, U8: Uint8Array, I16: Int16Array,
  I32: Int32Array, F16: Uint16Array, I64: BigInt64Array };

/** Half precision, for browsers without Float16Array. */
function half(bits) {
  const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 25) * (1024 + fraction) : 2 ** -24 * fraction);
}

/** Reads a blob of safetensors; adds its arrays to `table` (decoded when they are first used), gives the description. */
function unpack(bytes, table) {
  const data = bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes.buffer ?? bytes);
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const length = Number(view.getBigUint64(0, true));
  const { __metadata__: about, ...entries } = JSON.parse(new TextDecoder().decode(data.subarray(8, 8 + length)));
  for (const [name, { dtype, shape, data_offsets: [start, end] }] of Object.entries(entries)) {
    table.set(name, () => {
      const raw = new KINDS[dtype](data.slice(8 + length + start, 8 + length + end).buffer);
      let flat = dtype === "I64" ? Float64Array.from(raw, Number) : raw;
      if (dtype === "F16") {
        flat = globalThis.Float16Array ? Float32Array.from(new Float16Array(raw.buffer)) : Float32Array.from(raw, half);
      }
      if (shape.length < 2) return flat;
      return Array.from({ length: shape[0] }, (_, row) => flat.subarray(row * shape[1], (row + 1) * shape[1]));
    });
  }
  return JSON.parse(about.stage);
}

/** A part of a description with its arrays in place. */
function real(part, table) {
  if (part === null || typeof part !== "object") return part;
  if (Array.isArray(part)) return part.map((one) => real(one, table));
  if ("@" in part) {
    let array = table.get(part["@"]);
    if (array === undefined) throw new RangeError(`array ${part["@"]} was never sent`);
    if (typeof array === "function") table.set(part["@"], (array = array()));
    return part.words ? Array.from(array, (place) => part.words[place]) : array;
  }
  return Object.fromEntries(Object.entries(part).map(([name, value]) => [name, real(value, table)]));
}

const isMap = (thing) =>
  thing !== null && typeof thing === "object" && !Array.isArray(thing) && !ArrayBuffer.isView(thing);

/** `patch` laid over `base`, mapping by mapping; lists are replaced. */
function over(base, patch) {
  if (!isMap(base) || !isMap(patch)) return patch;
  const made = { ...base };
  for (const [name, value] of Object.entries(patch)) made[name] = over(base[name], value);
  return made;
}

/** What a track holds at a step, by its place in the list of steps. */
const stateOf = (track, place) => (track.at ? track.at[place] : 0);

// ---------------------------------------------------------------- words

/** Text as plotly takes it, as plain text: `text` in Python's `base` escaped these three. */
const plain = (words) =>
  String(words).replaceAll("<br>", "\n").replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");

/** Three digits that count; whole numbers as they are. */
function figures(value) {
  if (!Number.isFinite(value)) return "—";
  const size = Math.abs(value);
  if (Number.isInteger(value) || size >= 1000) return size >= 1e7 ? value.toExponential(2) : Math.round(value).toLocaleString("en");
  return size < 1e-4 ? value.toExponential(2) : String(Number(value.toPrecision(3)));
}

/** Writes only what is new: what is written is laid out again. */
function write(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

function make(tag, className = "", words = "", attributes = {}) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (words) element.textContent = words;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

// ---------------------------------------------------------------- colours

/** A function from numbers to colours, for a scale of plotly between `low` and `high`. */
function scaled(scale, low, high) {
  const stops = scale.map(([share, colour]) => [share, [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16))]);
  const known = new Map();
  return (value) => {
    if (known.has(value)) return known.get(value);
    const share = Math.min(1, Math.max(0, (value - low) / (high - low || 1)));
    let i = stops.findIndex(([edge], place) => place > 0 && share <= edge && edge > stops[place - 1][0]);
    if (i < 0) i = stops.length - 1;
    const [[from, a], [to, b]] = [stops[i - 1], stops[i]];
    const mixed = a.map((c, j) => Math.round(c + ((b[j] - c) * (share - from)) / (to - from)));
    const colour = Number.isFinite(value) ? mixed : null;
    if (known.size > 4096) known.clear();
    known.set(value, colour);
    return colour;
  };
}

const css = (rgb) => (rgb ? `rgb(${rgb.join()})` : "transparent");

/** An attribute that is one for all marks, or one for each. */
const each = (given, otherwise) =>
  given === undefined || given === null ? () => otherwise
    : typeof given === "object" ? (i) => given[i] : () => given;

// ---------------------------------------------------------------- painting a trace

const DASHES = { solid: [], dash: [8, 5], dot: [2, 4], dashdot: [8, 4, 2, 4] };

/** Places of all points of a trace in pixels; what cannot be placed is not a number. */
function placed(trace, frame) {
  const n = Math.min(trace.x?.length ?? 0, trace.y?.length ?? 0);
  const x = new Float64Array(n), y = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    x[i] = trace.x[i] === null ? NaN : frame.x(trace.x[i]);
    y[i] = trace.y[i] === null ? NaN : frame.y(trace.y[i]);
  }
  return { x, y, n };
}

function paintLines(pen, trace, { x, y, n }, frame) {
  const { color, width = 2, dash = "solid", shape } = trace.line ?? {};
  const path = new Path2D();
  let down = false, first = NaN, last = NaN;
  for (let i = 0; i < n; i++) {
    const good = x[i] === x[i] && y[i] === y[i];
    if (good && down) {
      if (shape === "hv") path.lineTo(x[i], y[i - 1]);
      path.lineTo(x[i], y[i]);
    } else if (good) path.moveTo(x[i], y[i]);
    if (good) { first = first === first ? first : x[i]; last = x[i]; }
    down = good;
  }
  if (trace.fill === "tozeroy" && first === first) {
    const floor = frame.y(0), area = new Path2D(path);
    area.lineTo(last, floor);
    area.lineTo(first, floor);
    pen.fillStyle = trace.fillcolor;
    pen.fill(area);
  }
  pen.strokeStyle = color;
  pen.lineWidth = width;
  pen.setLineDash(DASHES[dash] ?? []);
  pen.stroke(path);
  pen.setLineDash([]);
}

/** Heads of arrows: at the end of each piece of a broken line, a little before its goal. */
function paintArrows(pen, { x, y, n }, { size, standoff = 0, color }) {
  const sizes = each(size, 8);
  pen.fillStyle = color;
  for (let i = 1; i < n; i++) {
    const s = sizes(i), way = Math.hypot(x[i] - x[i - 1], y[i] - y[i - 1]);
    if (!(s > 0) || !(way > 0)) continue;
    const u = (x[i] - x[i - 1]) / way, v = (y[i] - y[i - 1]) / way;
    const tx = x[i] - u * standoff, ty = y[i] - v * standoff;
    pen.beginPath();
    pen.moveTo(tx, ty);
    pen.lineTo(tx - u * s - v * s * 0.45, ty - v * s + u * s * 0.45);
    pen.lineTo(tx - u * s + v * s * 0.45, ty - v * s - u * s * 0.45);
    pen.fill();
  }
}

/** The radius of each mark. */
function radii(marker) {
  const size = each(marker.size, 6);
  if (marker.sizemode !== "area") return (i) => size(i) / 2;
  return (i) => Math.max(marker.sizemin ?? 0, Math.sqrt(size(i) / marker.sizeref)) / 2;
}

const stamps = new Map();

/** A dot with its ring, drawn once and stamped from then on: a browser without a graphics card fills circles slowly. */
function stamp(fill, radius, width, ring) {
  const key = `${fill} ${radius} ${width} ${ring}`;
  if (!stamps.has(key)) {
    const ratio = (globalThis.devicePixelRatio || 1) * 2, reach = Math.ceil(radius + width / 2) + 1;
    const image = new OffscreenCanvas(2 * reach * ratio, 2 * reach * ratio), pen = image.getContext("2d");
    pen.scale(ratio, ratio);
    pen.beginPath();
    pen.arc(reach, reach, radius, 0, 7);
    Object.assign(pen, { fillStyle: fill, strokeStyle: ring, lineWidth: width });
    pen.fill();
    if (width > 0) pen.stroke();
    if (stamps.size > 2000) stamps.clear();
    stamps.set(key, { image: image.transferToImageBitmap(), reach });
  }
  return stamps.get(key);
}

function paintMarks(pen, trace, { x, y, n }, alpha) {
  const marker = trace.marker ?? {}, { symbol = "circle" } = marker;
  if (symbol === "arrow") return paintArrows(pen, { x, y, n }, marker);
  const radius = radii(marker), ring = each(marker.line?.width, 0), clear = each(marker.opacity, 1);
  const colour = each(marker.color, "#0072B2");
  const tone = marker.colorscale ? scaled(marker.colorscale, marker.cmin, marker.cmax) : null;
  const fills = new Map();
  pen.strokeStyle = marker.line?.color ?? "transparent";
  for (let i = 0; i < n; i++) {
    if (x[i] !== x[i] || y[i] !== y[i]) continue;
    const r = radius(i), given = colour(i);
    let fill = fills.get(given);
    if (fill === undefined) fills.set(given, (fill = tone ? css(tone(given)) : given));
    pen.globalAlpha = alpha * clear(i);
    if (symbol === "line-ns-open" || symbol.endsWith("-open")) {
      pen.strokeStyle = fill;
      pen.lineWidth = ring(i);
      if (symbol === "line-ns-open") {
        pen.beginPath();
        pen.moveTo(x[i], y[i] - r);
        pen.lineTo(x[i], y[i] + r);
        pen.stroke();
      } else pen.strokeRect(x[i] - r, y[i] - r, 2 * r, 2 * r);
      continue;
    }
    pen.fillStyle = fill;
    if (symbol === "square" || (r < 2 && !(ring(i) > 0))) { // nobody sees the corners, and it is quick
      pen.fillRect(x[i] - r, y[i] - r, 2 * r, 2 * r);
      continue;
    }
    const dot = stamp(fill, r, ring(i), marker.line?.color);
    pen.drawImage(dot.image, x[i] - dot.reach, y[i] - dot.reach, 2 * dot.reach, 2 * dot.reach);
  }
  pen.globalAlpha = alpha;
}

function paintWords(pen, trace, { x, y, n }, frame) {
  const font = trace.textfont ?? {}, colour = each(font.color, frame.theme.ink), size = font.size ?? 12;
  const [up = "middle", side = "center"] = (trace.textposition ?? "middle center").split(" ");
  const gap = trace.mode?.includes("markers") ? radii(trace.marker ?? {}) : () => 0;
  const words = each(trace.text, "");
  pen.font = `${size}px ${frame.font}`;
  pen.textAlign = side === "left" ? "right" : side === "right" ? "left" : "center";
  pen.textBaseline = up === "top" ? "bottom" : up === "bottom" ? "top" : "middle";
  for (let i = 0; i < n; i++) {
    if (!words(i) || x[i] !== x[i] || y[i] !== y[i]) continue;
    const lines = plain(words(i)).split("\n"), r = gap(i) + (gap(i) ? 2 : 0);
    const dx = side === "left" ? -r : side === "right" ? r : 0;
    const dy = up === "top" ? -r : up === "bottom" ? r : 0.5;
    pen.fillStyle = colour(i);
    lines.forEach((line, j) => pen.fillText(line, x[i] + dx, y[i] + dy + (j - (lines.length - 1) / 2) * size * 1.2));
  }
}

/** The box of bar `i` of a trace that is number `group` of `groups` side by side. */
function barBox(trace, i, frame, group, groups) {
  const lying = trace.orientation === "h";
  const where = lying ? trace.y[i] : trace.x[i], value = lying ? trace.x[i] : trace.y[i];
  if (value === null || value !== value) return null;
  const thick = 0.75 / groups, low = where - 0.375 + group * thick;
  const [a, b] = lying ? [frame.y(low), frame.y(low + thick)] : [frame.x(low), frame.x(low + thick)];
  const [c, d] = lying ? [frame.x(0), frame.x(value)] : [frame.y(0), frame.y(value)];
  const across = [Math.min(a, b), Math.abs(b - a)], along = [Math.min(c, d), Math.abs(d - c)];
  return lying ? { x: along[0], y: across[0], w: along[1], h: across[1], tip: d }
    : { x: across[0], y: along[0], w: across[1], h: along[1], tip: d };
}

function paintBars(pen, trace, frame, group, groups) {
  const lying = trace.orientation === "h", n = Math.min(trace.x?.length ?? 0, trace.y?.length ?? 0);
  pen.font = `${trace.textfont?.size ?? 11}px ${frame.font}`;
  for (let i = 0; i < n; i++) {
    const box = barBox(trace, i, frame, group, groups);
    if (!box) continue;
    pen.fillStyle = trace.marker.color;
    pen.fillRect(box.x, box.y, box.w, box.h);
    if (!trace.text?.[i]) continue;
    const below = lying ? box.tip < frame.x(0) : box.tip > frame.y(0);
    pen.fillStyle = trace.textfont?.color ?? frame.theme.ink;
    pen.textAlign = !lying ? "center" : below ? "right" : "left";
    pen.textBaseline = lying ? "middle" : below ? "top" : "bottom";
    const words = plain(trace.text[i]);
    if (lying) pen.fillText(words, box.tip + (below ? -3 : 3), box.y + box.h / 2);
    else pen.fillText(words, box.x + box.w / 2, box.tip + (below ? 3 : -3));
  }
}

/** Edges of the cells of a grid along one axis, in pixels. */
function cellEdges(given, count, toPixels) {
  const at = (i) => given?.[i] ?? i;
  const step = count > 1 ? (at(count - 1) - at(0)) / (count - 1) : 1;
  return [toPixels(at(0) - step / 2), toPixels(at(count - 1) + step / 2)];
}

function paintCells(pen, trace, frame) {
  const rows = trace.z?.length ?? 0, columns = trace.z?.[0]?.length ?? 0;
  if (!rows || !columns) return;
  const tone = scaled(trace.colorscale, trace.zmin, trace.zmax);
  const image = new ImageData(columns, rows);
  for (let i = 0, k = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++, k += 4) {
      const colour = tone(trace.z[i][j]);
      if (colour) image.data.set([...colour, 255], k);
    }
  }
  const small = new OffscreenCanvas(columns, rows);
  small.getContext("2d").putImageData(image, 0, 0);
  const [left, right] = cellEdges(trace.x, columns, frame.x), [top, bottom] = cellEdges(trace.y, rows, frame.y);
  pen.save();
  pen.imageSmoothingEnabled = false;
  pen.translate(left, top);
  pen.scale(right > left ? 1 : -1, bottom > top ? 1 : -1);
  pen.drawImage(small, 0, 0, Math.abs(right - left), Math.abs(bottom - top));
  pen.restore();
  if (!trace.texttemplate) return;
  pen.font = `${trace.textfont?.size ?? 11}px ${frame.font}`;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      const [r, g, b] = tone(trace.z[i][j]) ?? [255, 255, 255];
      pen.fillStyle = 0.3 * r + 0.59 * g + 0.11 * b > 140 ? "#000" : "#fff";
      const x = left + ((right - left) * (j + 0.5)) / columns, y = top + ((bottom - top) * (i + 0.5)) / rows;
      pen.fillText(Number(trace.z[i][j].toPrecision(2)), x, y);
    }
  }
}

function paintTrace(pen, trace, frame, group, groups) {
  pen.save();
  if (trace.cliponaxis !== false) {
    pen.beginPath();
    pen.rect(frame.left, frame.top, frame.width, frame.height);
    pen.clip();
  }
  const alpha = (pen.globalAlpha = trace.opacity ?? 1);
  if (trace.type === "bar") paintBars(pen, trace, frame, group, groups);
  else if (trace.type === "heatmap") paintCells(pen, trace, frame);
  else {
    const places = placed(trace, frame), mode = trace.mode ?? "lines";
    if (mode.includes("lines")) paintLines(pen, trace, places, frame);
    if (mode.includes("markers")) paintMarks(pen, trace, places, alpha);
    if (mode.includes("text")) paintWords(pen, trace, places, frame);
  }
  pen.restore();
}

// ---------------------------------------------------------------- one picture

/** One picture: axes by plotly, marks on a canvas, both from the description `told`. */
class Pane {
  constructor(told, stage) {
    this.stage = stage;
    this.figure = make("figure", "nr-pane", "", { tabindex: 0, role: "group" });
    if (told.arm) this.figure.append(make("div", "nr-arm", told.arm));
    this.board = make("div", "nr-board", "", { role: "img" });
    this.axes = make("div", "nr-axes", "", { "aria-hidden": "true" });
    this.canvas = make("canvas", "nr-marks", "", { "aria-hidden": "true" });
    this.wait = make("p", "nr-wait");
    this.note = make("figcaption", "nr-note");
    this.board.append(this.axes, this.canvas, this.wait);
    this.figure.append(this.board, this.note);
    const tools = make("div", "nr-tools");
    const tool = (words, says, act) => {
      const button = make("button", "", words, { type: "button", title: says, "aria-label": `${says}: ${told.series} ${told.arm}` });
      button.addEventListener("click", act);
      tools.append(button);
    };
    tool("⤢", "Full screen", () => stage.enlarge(this));
    tool("png", "Save as PNG", () => this.save("png"));
    tool("svg", "Save as SVG", () => this.save("svg"));
    this.figure.append(tools);
    this.canvas.addEventListener("pointermove", (event) => stage.hover(this, event));
    this.canvas.addEventListener("pointerleave", () => stage.hover(null));
    this.canvas.addEventListener("click", (event) => stage.click(this, event));
    this.tell(told);
  }

  /** Takes a description, the first or a longer one. */
  tell(told) {
    this.told = told;
    this.merged = told.traces.map(() => []);
    this.painted = this.drawn = "";
    const moving = told.traces.findIndex((track) => track.states.length > 1);
    this.fixed = moving < 0 ? told.traces.length : moving; // the traces below all that moves are painted once
    this.names = told.items && told.items.names !== null ? this.stage.description.names[told.items.names] : null;
    this.places = this.names && new Map(this.names.map((name, i) => [name, i]));
  }

  /** The template in the present theme. */
  get template() {
    const { told, stage } = this;
    const figure = stage.theme === "dark" ? overFigure(told.figure, told.dark) : told.figure;
    return real(figure, stage.table);
  }

  /** Trace `k` as it is in one of its states. */
  trace(k, state) {
    this.merged[k][state] ??= over(this.data[k], real(this.told.traces[k].states[state], this.stage.table));
    return this.merged[k][state];
  }

  now(k) {
    return this.trace(k, stateOf(this.told.traces[k], this.stage.place));
  }

  get marks() {
    return this.data.map((_, k) => k).filter((k) => this.told.items && this.data[k].meta === "items");
  }

  /** Lets plotly draw what stays, where the room or the theme or the template has changed. */
  async lay() {
    const { stage } = this, theme = stage.description.themes[stage.theme];
    const width = this.board.clientWidth, height = stage.heightOf(this);
    const key = [stage.theme, width, height, this.told.figure, this.told.dark].map((x) => JSON.stringify(x)).join();
    if (!width || key === this.drawn) return;
    this.drawn = key;
    const { data, layout } = this.template;
    this.data = data;
    this.merged = data.map(() => []);
    this.board.style.height = `${height}px`;
    const scales = data.filter((trace) => trace.marker?.showscale || (trace.type === "heatmap" && trace.showscale));
    const bars = scales.map(({ zmin, zmax, colorscale, colorbar, marker = { cmin: zmin, cmax: zmax, colorscale, colorbar } }) => (
      { type: "scatter", mode: "markers", x: [null], y: [null], marker: { ...marker, size: 1, color: [0], opacity: 1, showscale: true } }));
    const whole = { ...layout, template: theme.template, width, height, hovermode: false };
    await stage.plotly.react(this.axes, [{ type: "scatter", x: [null], y: [null] }, ...bars], whole, { staticPlot: true });
    if (!this.axes._fullLayout) return; // it was taken away meanwhile
    const { xaxis, yaxis, _size: room } = this.axes._fullLayout;
    const along = (axis, start, length) => {
      const [low, high] = axis.range, unit = length / (high - low);
      return axis.type === "log" ? (v) => start + (Math.log10(v) - low) * unit : (v) => start + (v - low) * unit;
    };
    this.frame = {
      x: along(xaxis, xaxis._offset, xaxis._length),
      y: along(yaxis, yaxis._offset + yaxis._length, -yaxis._length),
      back: (px) => xaxis.range[0] + ((px - xaxis._offset) / xaxis._length) * (xaxis.range[1] - xaxis.range[0]),
      up: (py) => yaxis.range[1] - ((py - yaxis._offset) / yaxis._length) * (yaxis.range[1] - yaxis.range[0]),
      left: xaxis._offset, top: yaxis._offset, width: xaxis._length, height: yaxis._length,
      theme, font: theme.template.layout.font.family, room,
    };
    const ratio = globalThis.devicePixelRatio || 1;
    Object.assign(this.canvas, { width: Math.round(width * ratio), height: Math.round(height * ratio) });
    Object.assign(this.canvas.style, { width: `${width}px`, height: `${height}px` });
    this.below = new OffscreenCanvas(this.canvas.width, this.canvas.height);
    const pen = this.below.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.#paint(pen, 0, this.fixed);
    this.painted = "";
  }

  #paint(pen, from, to) {
    const groups = this.data.filter((trace) => trace.type === "bar").length;
    let group = this.data.slice(0, from).filter((trace) => trace.type === "bar").length;
    pen.lineJoin = pen.lineCap = "round";
    for (let k = from; k < to; k++) paintTrace(pen, this.now(k), this.frame, this.data[k].type === "bar" ? group++ : 0, groups);
  }

  /** Paints the present step, where it differs from what is there. */
  paint() {
    if (!this.frame) return;
    const { stage, told } = this;
    const lit = stage.lit.map((item) => this.find(item)).filter((i) => i >= 0);
    const key = [told.traces.map((track) => stateOf(track, stage.place)), lit, stage.editor?.state, lit.length && stage.place].join("|");
    if (key === this.painted) return;
    this.painted = key;
    this.figure.dataset.lit = lit.length;
    const pen = this.canvas.getContext("2d"), ratio = globalThis.devicePixelRatio || 1;
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, this.canvas.width, this.canvas.height);
    pen.drawImage(this.below, 0, 0);
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    for (const i of lit) told.kind === "Points" ? this.#trail(pen, i) : this.#near(pen, i);
    this.#paint(pen, this.fixed, this.data.length);
    for (const i of lit) this.#halo(pen, i);
    stage.editor?.paint(pen, this);
  }

  /** Pairs of items that belong together, at this step. */
  get links() {
    const track = this.told.items?.links;
    return (track && real(track.states[stateOf(track, this.stage.place)], this.stage.table)) ?? [[], []];
  }

  /** The links of item `i`, over the others. */
  #near(pen, i) {
    const [a, b] = this.links, nodes = this.marks.map((k) => this.now(k)).find((trace) => trace.type.startsWith("scatter"));
    if (!a.length || !nodes) return;
    pen.save();
    Object.assign(pen, { strokeStyle: this.frame.theme.soft, lineWidth: 2 });
    pen.beginPath();
    for (let k = 0; k < a.length; k++) {
      if (a[k] !== i && b[k] !== i) continue;
      pen.moveTo(this.frame.x(nodes.x[a[k]]), this.frame.y(nodes.y[a[k]]));
      pen.lineTo(this.frame.x(nodes.x[b[k]]), this.frame.y(nodes.y[b[k]]));
    }
    pen.stroke();
    pen.restore();
  }

  /** Where item `i` was until now. */
  #trail(pen, i) {
    const [k] = this.marks, track = this.told.traces[k];
    pen.save();
    pen.strokeStyle = this.frame.theme.ink;
    pen.lineWidth = 1.5;
    let before = null;
    for (let place = 0; place <= this.stage.place; place++) {
      const { x, y } = this.trace(k, stateOf(track, place));
      const here = [this.frame.x(x[i]), this.frame.y(y[i])];
      if (before) {
        pen.globalAlpha = 0.25 + (0.6 * place) / Math.max(1, this.stage.place);
        pen.beginPath();
        pen.moveTo(...before);
        pen.lineTo(...here);
        pen.stroke();
      }
      before = here;
    }
    pen.restore();
  }

  /** The ring around item `i` that shows it in every picture. */
  #halo(pen, i) {
    const { frame, told } = this;
    pen.save();
    const outline = (draw) => {
      for (const [width, colour] of [[5.5, frame.theme.panel], [2.2, frame.theme.ink]]) {
        Object.assign(pen, { lineWidth: width, strokeStyle: colour });
        pen.beginPath();
        draw();
        pen.stroke();
      }
    };
    const { left, top, width, height } = frame;
    for (const k of this.marks) {
      const trace = this.now(k);
      if (trace.type === "bar") {
        const group = this.data.slice(0, k).filter((other) => other.type === "bar").length;
        const box = barBox(trace, i, frame, group, this.data.filter((other) => other.type === "bar").length);
        if (box) outline(() => pen.rect(box.x - 1, box.y - 1, box.w + 2, box.h + 2));
      } else if (trace.type === "heatmap") {
        const n = trace.z[0]?.length ?? 0, [a, b] = cellEdges(trace.x, n, frame.x);
        if (i < n) outline(() => pen.rect(a + ((b - a) * i) / n, top, (b - a) / n, height));
      } else if (told.kind === "Events") {
        outline(() => pen.rect(left, frame.y(i + 0.5), width, frame.y(i - 0.5) - frame.y(i + 0.5)));
      } else if (i < (trace.x?.length ?? 0)) {
        const r = radii(trace.marker)(i) + 5;
        outline(() => pen.arc(frame.x(trace.x[i]), frame.y(trace.y[i]), r, 0, 7));
      }
    }
    pen.restore();
  }

  /** The place of an item of the stage in this picture, or -1: by its name where it has one, else by its number. */
  find(item) {
    if (!this.told.items || this.told.items.kind !== item.kind) return -1;
    if (this.places && item.name !== undefined) return this.places.get(item.name) ?? -1;
    return item.place;
  }

  item(place) {
    return { kind: this.told.items.kind, place, name: this.names?.[place] };
  }

  /** The item under a pointer, or null. */
  pick(px, py) {
    if (!this.told.items || !this.frame) return null;
    const { frame } = this;
    let found = -1;
    for (const k of this.marks) {
      const trace = this.now(k), n = trace.x?.length ?? 0;
      if (trace.type === "heatmap") {
        const columns = trace.z?.[0]?.length ?? 0, [a, b] = cellEdges(trace.x, columns, frame.x);
        const j = Math.floor(((px - a) / (b - a)) * columns);
        if (j >= 0 && j < columns && py >= frame.top && py <= frame.top + frame.height) found = j;
      } else if (trace.type === "bar") {
        const where = trace.orientation === "h" ? frame.up(py) : frame.back(px);
        const i = Math.round(where);
        if (i >= 0 && i < n && Math.abs(where - i) <= 0.4) found = i;
      } else if (this.told.kind === "Events") {
        const i = Math.round(frame.up(py));
        if (px >= frame.left && px <= frame.left + frame.width && i >= 0 && frame.y(i) <= frame.top + frame.height && frame.y(i) >= frame.top) found = i;
      } else {
        let nearest = NEAR ** 2;
        for (let i = 0; i < n; i++) {
          const square = (frame.x(trace.x[i]) - px) ** 2 + (frame.y(trace.y[i]) - py) ** 2;
          if (square < nearest) [nearest, found] = [square, i];
        }
      }
    }
    return found < 0 ? null : this.item(found);
  }

  /** What is known of an item here and now: (name, words) pairs. */
  facts(item) {
    const i = this.find(item), { told, stage } = this;
    if (i < 0) return [];
    const known = [];
    for (const [name, track] of Object.entries(told.items.facts)) {
      const value = real(track.states[stateOf(track, stage.place)], stage.table)?.[i];
      const said = value === true || (value === 1 && SAID.has(name)) ? "yes" : value === false || (value === 0 && SAID.has(name)) ? "no" : figures(value);
      if (value !== undefined && value !== null) known.push([name, said]);
    }
    for (const k of this.marks) {
      const trace = this.now(k);
      if (trace.type === "bar" && trace.x?.[i] !== undefined) {
        known.push([plain(trace.name ?? told.series), figures(trace.orientation === "h" ? trace.x[i] : trace.y[i])]);
      } else if (trace.type === "heatmap" && trace.z[0]?.[i] !== undefined) {
        const column = trace.z.map((row) => row[i]).filter(Number.isFinite);
        const [low, high] = [Math.min(...column), Math.max(...column)].map(figures);
        if (column.length) known.push([plain(trace.colorbar?.title?.text || "value"), low === high ? low : `${low} to ${high}`]);
      } else if (told.kind === "Events") {
        known.push([told.series, `${trace.y.reduce((n, unit) => n + (unit === i), 0)}`]);
      }
    }
    return known;
  }

  /** What the picture says under a pointer, where its marks are nobody: (name, words) pairs. */
  read(px, py) {
    const { frame, told, stage } = this;
    if (!frame || px < frame.left || px > frame.left + frame.width || py < frame.top - NEAR || py > frame.top + frame.height + NEAR) return [];
    const x = frame.back(px), title = (axis) => plain(this.axes._fullLayout[axis].title?.text ?? "").replaceAll("\n", " ").trim();
    if (told.kind === "Grid") {
      const { z, x: xs, y: ys, colorbar } = this.now(0), c = z[0]?.length ?? 0;
      const [a, b] = cellEdges(xs, c, frame.x), [d, e] = cellEdges(ys, z.length, frame.y);
      const j = Math.floor(((px - a) / (b - a)) * c), i = Math.floor(((py - d) / (e - d)) * z.length);
      if (z[i]?.[j] === undefined) return [];
      const named = told.figure.layout.xaxis.visible !== false;
      return [[(named && title("yaxis")) || "row", figures(ys?.[i] ?? i)], [(named && title("xaxis")) || "column", figures(xs?.[j] ?? j)],
        [plain(colorbar?.title?.text || "value"), figures(z[i][j])]];
    }
    if (told.kind === "Bars") {
      const bars = this.data.map((_, k) => this.now(k)).filter((trace) => trace.type === "bar"), lying = bars[0].orientation === "h";
      const i = Math.round(lying ? frame.up(py) : x);
      if (!bars[0].hovertext?.[i]) return [];
      return [[plain(bars[0].hovertext[i]), ""], ...bars.map((trace) => [plain(trace.name), figures((lying ? trace.x : trace.y)[i])])];
    }
    const near = [];
    for (let k = 0; k < this.data.length; k++) {
      const trace = this.now(k), n = trace.x?.length ?? 0, written = trace.hovertext ?? (trace.hovertemplate && trace.text);
      if (trace.name !== undefined && n) {
        let best = 0;
        for (let i = 1; i < n; i++) if (Math.abs(trace.x[i] - x) < Math.abs(trace.x[best] - x)) best = i;
        if (!near.length) near.push([title("xaxis") || stage.description.time.name, figures(trace.x[best])]);
        near.push([plain(trace.name), figures(trace.y[best] ?? NaN)]);
      } else if (written && trace.meta !== "items") {
        for (let i = 0; i < n; i++) {
          if (Math.hypot(frame.x(trace.x[i]) - px, frame.y(trace.y[i]) - py) > NEAR) continue;
          const value = trace.hovertext ? "" : figures(each(trace.marker.color)(i));
          return [[plain(written[i]), value]];
        }
      }
    }
    return near;
  }

  /** Saves the picture as it is now, drawn by plotly. */
  async save(format) {
    const { stage, told } = this, theme = stage.description.themes[stage.theme];
    const { layout } = this.template, [width, height] = [Math.max(480, this.board.clientWidth), stage.heightOf(this)];
    const data = this.data.map((_, k) => ({ ...this.now(k), meta: undefined }));
    const figure = { data, layout: { ...layout, template: theme.template, paper_bgcolor: theme.panel, width, height } };
    const url = await stage.plotly.toImage(figure, { format, width, height, scale: format === "png" ? 2 : 1 });
    const name = [told.series, told.arm, stage.step].filter((part) => part !== "").join(" ").replace(/[^\p{L}\p{N}]+/gu, "-");
    make("a", "", "", { href: url, download: `${name}.${format}` }).click();
  }
}

const SAID = new Set(["a mistake", "label was given"]); // facts that hold or do not

/** A figure with the parts that differ in the dark laid over it, trace by trace. */
function overFigure(figure, dark) {
  return {
    data: figure.data.map((trace, k) => over(trace, dark.data?.[k] ?? {})),
    layout: over(figure.layout, dark.layout ?? {}),
  };
}

// ---------------------------------------------------------------- the whole

const SPEEDS = [0.25, 0.5, 1, 2, 4];

class Stage {
  constructor(element, bytes, options) {
    this.options = options;
    this.plotly = options.plotly;
    this.theme = options.theme === "dark" ? "dark" : "light";
    this.selected = options.selected ?? [];
    this.hovered = null;
    this.table = new Map();
    this.speed = 1;
    this.root = make("div", "nr-stage");
    this.root.stage = this; // for a console, and for tests
    this.rows = make("div", "nr-rows");
    this.card = make("div", "nr-card", "", { role: "status" });
    this.card.hidden = true;
    this.base = make("div", "nr-base");
    this.base.append(this.#controls());
    this.root.append(this.rows, this.card, this.base);
    this.root.addEventListener("keydown", (event) => this.#key(event));
    this.update(bytes); // if this fails, nothing was done to the page
    element.append(this.root);
    this.fullscreen = () => { if (!document.fullscreenElement) this.enlarge(null); };
    document.addEventListener("fullscreenchange", this.fullscreen);
    this.watcher = new ResizeObserver(() => this.#lay());
    this.watcher.observe(this.root);
    this.#lay();
    if (options.step !== undefined) this.set({ step: options.step });
  }

  get step() {
    return this.description.time.steps[this.place];
  }

  get lit() {
    return this.hovered ? [...this.selected, this.hovered] : this.selected;
  }

  // -------- description

  /** Takes a description, or a longer one of the same run; who looks at the last step follows. */
  update(bytes) {
    const description = unpack(bytes, this.table);
    const told = JSON.stringify(description);
    for (const [, number] of told.matchAll(/"@":"(\d+)"/g)) {
      if (!this.table.has(number)) throw new RangeError(`array ${number} was never sent`);
    }
    const before = this.description;
    const followed = !before || before.about.run !== description.about.run || this.place === before.time.steps.length - 1;
    const shape = JSON.stringify([description.rows, description.panes.map((p) => [p.series, p.arm, p.kind, p.caption, p.wide])]);
    this.description = description;
    const last = description.time.steps.length - 1;
    this.place = followed ? last : Math.min(this.place, last);
    if (shape !== this.shape) this.#build();
    else this.panes.forEach((pane, i) => pane.tell(description.panes[i]));
    this.shape = shape;
    Object.assign(this.slider, { max: last, value: this.place });
    this.bar.hidden = last === 0;
    this.find.parentElement.hidden = !description.panes.some((pane) => pane.items);
    this.#dress();
    this.#lay();
  }

  #build() {
    const { rows, panes, arms } = this.description;
    this.panes = panes.map((told) => new Pane(told, this));
    this.rows.replaceChildren(...rows.map((places) => {
      const row = make("div", "nr-row");
      for (let i = 0; i < places.length; ) {
        const { series, caption, arm } = panes[places[i]];
        const same = places.slice(i).filter((place, j) => panes[place].series === series && panes[places[i + j]].series === series);
        i += same.length;
        const group = make("section", "nr-group");
        group.style.flexGrow = same.reduce((sum, place) => sum + panes[place].wide, 0);
        const head = make("h3", "", series[0].toUpperCase() + series.slice(1));
        if (same.length === 1 && arm) head.append(make("span", "", ` · ${arm}`));
        const side = make("div", "nr-side");
        for (const place of same) {
          const { figure } = this.panes[place];
          figure.style.flexGrow = panes[place].wide;
          figure.dataset.arm = Math.max(0, arms.indexOf(panes[place].arm)) % 6;
          figure.classList.toggle("nr-alone", same.length === 1);
          side.append(figure);
        }
        group.append(head, make("p", "nr-caption", caption), side);
        row.append(group);
      }
      return row;
    }));
  }

  /** The tones of the theme, for the style sheet. */
  #dress() {
    const theme = this.description.themes[this.theme];
    for (const tone of ["paper", "panel", "ink", "soft", "edge", "rule"]) this.root.style.setProperty(`--nr-${tone}`, theme[tone]);
    this.root.dataset.theme = this.theme;
  }

  heightOf(pane) {
    if (this.large !== pane) return pane.told.height;
    return Math.max(240, innerHeight - this.base.offsetHeight - 150);
  }

  #lay() {
    this.laying = (this.laying ?? Promise.resolve()).then(async () => {
      for (const pane of this.panes) {
        if (this.large && pane !== this.large) continue;
        await pane.lay();
        pane.paint();
      }
      if (this.panes.every((pane) => pane.frame)) this.root.dataset.ready = "";
      this.draw();
    });
    return this.laying;
  }

  // -------- time

  #controls() {
    this.bar = make("div", "nr-bar", "", { role: "group", "aria-label": "Time" });
    const button = (words, says, act) => {
      const made = make("button", "", words, { type: "button", title: says, "aria-label": says });
      made.addEventListener("click", act);
      this.bar.append(made);
      return made;
    };
    this.play = button("▶", "Play", () => this.toggle());
    this.play.className = "nr-play";
    button("‹", "One step back", () => this.go(this.place - 1));
    button("›", "One step on", () => this.go(this.place + 1));
    this.told = make("output", "nr-step");
    this.slider = make("input", "nr-time", "", { type: "range", min: 0, max: 0, step: 1, "aria-label": "Time" });
    this.slider.addEventListener("input", () => this.go(Number(this.slider.value)));
    const speed = make("select", "", "", { "aria-label": "Speed" });
    for (const times of SPEEDS) speed.append(new Option(`${times}×`, times, times === 1, times === 1));
    speed.addEventListener("change", () => { this.speed = Number(speed.value); });
    this.find = make("input", "nr-find", "", { type: "search", placeholder: "find an item", "aria-label": "Find and select an item", list: `nr-${++count}` });
    const names = make("datalist", "", "", { id: `nr-${count}` });
    this.find.addEventListener("focus", () => names.replaceChildren(...this.#everyone().map(([words]) => new Option(words, words))));
    let asked = false; // these words have been looked for
    const seek = () => { if (!asked) this.#seek(this.find.value); asked = true; };
    this.find.addEventListener("input", () => { asked = false; });
    this.find.addEventListener("change", seek);
    // JupyterLab keeps the press of Enter to itself, and with it the change; that the key comes up it lets through
    this.find.addEventListener("keyup", (event) => { if (event.key === "Enter") seek(); });
    const box = make("span", "nr-seek");
    box.append(this.find, names);
    this.bar.append(this.told, this.slider, speed, box);
    button("⤢", "Full screen", () => this.enlarge(this.root));
    return this.bar;
  }

  /** Goes to a place in the list of steps. */
  go(place) {
    this.place = Math.min(this.description.time.steps.length - 1, Math.max(0, place));
    this.draw();
  }

  toggle() {
    if (this.playing) return this.stop();
    const last = this.description.time.steps.length - 1;
    if (this.place === last) this.place = 0;
    let start = null, from = this.place;
    const tick = (now) => {
      start ??= now;
      const place = from + Math.floor(((now - start) / 1000) * RATE * this.speed);
      if (place >= this.description.time.steps.length) return this.stop();
      if (place > this.place) this.go(place);
      if (this.speed !== pace) [start, from, pace] = [now, this.place, this.speed];
      this.playing = requestAnimationFrame(tick);
    };
    let pace = this.speed;
    this.playing = requestAnimationFrame(tick);
    this.#button();
  }

  stop() {
    cancelAnimationFrame(this.playing);
    this.playing = 0;
    this.#button();
  }

  #button() {
    this.play.textContent = this.playing ? "❚❚" : "▶";
    this.play.title = this.playing ? "Pause" : "Play";
    this.play.setAttribute("aria-label", this.play.title);
  }

  /** Asks for a picture of the present moment; many calls before the next frame of the screen are one. */
  draw() {
    this.drawing ||= requestAnimationFrame(() => {
      this.drawing = 0;
      this.#paint();
    });
  }

  #paint() {
    const { time } = this.description, { place, step } = this;
    this.slider.value = place;
    const words = `${time.name.length <= 24 ? time.name : "step"} ${step} of ${time.of}`;
    write(this.told, words);
    this.slider.setAttribute("aria-valuetext", words);
    this.slider.style.setProperty("--nr-share", place / Math.max(1, time.steps.length - 1));
    for (const pane of this.panes) {
      if (this.large && pane !== this.large) continue;
      pane.paint();
      const { told } = pane, late = step < told.starts;
      write(pane.wait, late ? `from ${time.name} ${told.starts} on` : "");
      write(pane.note, told.notes.states[stateOf(told.notes, place)]);
      const says = told.alts.states[stateOf(told.alts, place)];
      if (pane.says !== says) pane.board.setAttribute("aria-label", (pane.says = says));
    }
    this.#write();
    if (this.said !== step) this.options.onStep?.((this.said = step));
  }

  // -------- items

  hover(pane, event) {
    const item = pane ? pane.pick(event.offsetX, event.offsetY) : null;
    this.pointer = pane ? { pane, x: event.clientX, y: event.clientY, px: event.offsetX, py: event.offsetY } : null;
    this.hovered = item;
    if (pane) pane.canvas.style.cursor = item ? "pointer" : "default";
    this.draw();
  }

  click(pane, event) {
    const item = pane.pick(event.offsetX, event.offsetY);
    if (this.editor?.click(pane, item)) return;
    if (item) this.select(item, event.shiftKey || event.ctrlKey || event.metaKey);
    else if (!event.shiftKey) this.set({ selected: [] });
  }

  /** Selects an item, or lets it go if it was selected; `more` keeps the others. */
  select(item, more = false) {
    const same = (other) => other.kind === item.kind && other.place === item.place && other.name === item.name;
    const rest = this.selected.filter((other) => !same(other));
    const was = rest.length < this.selected.length;
    this.set({ selected: [...(more ? rest : []), ...(was ? [] : [item])].slice(-MOST) });
    this.options.onSelect?.(this.selected);
  }

  set({ step, selected, theme }) {
    if (theme && theme !== this.theme) {
      this.theme = theme;
      this.#dress();
      this.#lay();
    }
    if (selected) this.selected = selected;
    if (step !== undefined && step !== this.step) {
      const { steps } = this.description.time;
      let place = steps.findIndex((one) => one > step);
      place = place < 0 ? steps.length - 1 : Math.max(0, place - 1);
      this.place = place;
    }
    this.draw();
  }

  /** All items by their names. */
  #everyone() {
    const found = new Map();
    for (const pane of this.panes) {
      if (!pane.told.items) continue;
      const [k] = pane.marks, trace = k === undefined ? null : pane.now(k);
      const n = trace?.type === "heatmap" ? trace.z[0]?.length ?? 0 : pane.told.kind === "Events" ? 0 : trace?.x?.length ?? 0;
      for (let i = 0; i < Math.min(n, 3000); i++) {
        const item = pane.item(i), words = nameOf(item);
        if (!found.has(words) || item.name !== undefined) found.set(words, item);
      }
    }
    return [...found];
  }

  #seek(words) {
    const wanted = words.trim().toLowerCase();
    const found = this.#everyone().find(([name]) => name.toLowerCase() === wanted)
      ?? this.#everyone().find(([name]) => wanted && name.toLowerCase().includes(wanted));
    if (found) this.select(found[1]);
    else if (!wanted) this.set({ selected: [] });
  }

  /** The card: who is lit, and what is known of them at this step. */
  #write() {
    const item = this.hovered ?? this.selected.at(-1), { pointer } = this;
    const rows = [];
    if (item) {
      for (const pane of this.panes) {
        const facts = pane.facts(item), { series, arm } = pane.told;
        if (facts.length) rows.push([series, arm, facts]);
      }
    }
    const read = !item && pointer ? pointer.pane.read(pointer.px, pointer.py) : [];
    this.card.hidden = !item && !read.length;
    if (this.card.hidden) return;
    const parts = item ? [make("strong", "", nameOf(item))] : [];
    for (const [name, value] of read) parts.push(fact(name, value));
    for (const series of new Set(rows.map(([name]) => name))) {
      const those = rows.filter(([name]) => name === series);
      const table = make("table");
      const head = make("tr");
      head.append(make("th", "", series, { scope: "col" }), ...those.map(([, arm]) => make("th", "", arm, { scope: "col" })));
      table.append(head);
      for (const label of new Set(those.flatMap(([, , facts]) => facts.map(([name]) => name)))) {
        const line = make("tr");
        line.append(make("th", "", label, { scope: "row" }));
        for (const [, , facts] of those) line.append(make("td", "", facts.find(([name]) => name === label)?.[1] ?? "—"));
        table.append(line);
      }
      parts.push(table);
    }
    this.card.replaceChildren(...parts);
    const free = pointer && (this.hovered || read.length); // beside the pointer; else over the slider, in nobody's way
    this.card.classList.toggle("nr-pinned", !free);
    if (free !== (this.card.parentElement === this.root)) free ? this.rows.after(this.card) : this.base.prepend(this.card);
    if (!free) return;
    const box = this.root.getBoundingClientRect(), { offsetWidth: w, offsetHeight: h } = this.card;
    let left = pointer.x - box.left + 18, top = pointer.y - box.top + this.root.scrollTop + 18;
    if (left + w > box.width - 4) left -= w + 36;
    if (pointer.y + 18 + h > innerHeight - this.base.offsetHeight) top -= h + 36;
    Object.assign(this.card.style, { left: `${Math.max(4, left)}px`, top: `${Math.max(4, top)}px` });
  }

  // -------- the rest

  /** One pane over the whole screen, with the slider; again, or Escape, gives it back. */
  enlarge(what) {
    const pane = what instanceof Pane ? what : null;
    const leave = !what || this.root.classList.contains("nr-full");
    this.root.classList.toggle("nr-full", !leave);
    this.root.classList.toggle("nr-one", !leave && pane !== null);
    this.large = leave ? null : pane;
    for (const other of this.panes) other.figure.classList.toggle("nr-large", other === this.large);
    for (const part of this.rows.querySelectorAll(".nr-row, .nr-group")) {
      part.classList.toggle("nr-holds", this.large !== null && part.contains(this.large.figure));
    }
    if (!leave && !document.fullscreenElement) this.root.requestFullscreen?.().catch(() => {}); // an iframe may forbid it
    if (leave && document.fullscreenElement) document.exitFullscreen();
    this.#lay();
  }

  #key(event) {
    if (event.target.matches("input[type=search], select, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
    const pane = this.panes.find((one) => one.figure === event.target);
    const acts = {
      " ": () => this.toggle(),
      ArrowRight: () => this.go(this.place + 1),
      ArrowLeft: () => this.go(this.place - 1),
      Home: () => this.go(0),
      End: () => this.go(Infinity),
      f: () => this.enlarge(pane ?? this.root),
      Escape: () => (this.root.classList.contains("nr-full") ? this.enlarge(null) : this.set({ selected: [] })),
    };
    if (!acts[event.key] || (event.key === " " && event.target.matches("button"))) return;
    event.preventDefault();
    event.stopPropagation();
    acts[event.key]();
  }

  destroy() {
    this.stop();
    cancelAnimationFrame(this.drawing);
    this.watcher.disconnect();
    document.removeEventListener("fullscreenchange", this.fullscreen);
    for (const pane of this.panes) this.plotly.purge(pane.axes);
    this.root.remove();
  }
}

let count = 0;

function fact(name, value) {
  const line = make("p");
  line.append(make("span", "", name), make("b", "", value));
  return line;
}

/** What an item is called: by its name, or `node 12`. */
function nameOf({ kind, place, name }) {
  const one = kind.replace(/s$/, "");
  return name === undefined ? `${one} ${place}` : /^\d+$/.test(name) ? `${one} ${name}` : name;
}

export function mount(element, bytes, options) {
  return new Stage(element, bytes, options);
}
