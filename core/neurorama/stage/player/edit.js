// Editing the graph of a stage: nodes and links are added and taken away, and the exhibit runs again on the outcome.

const GREEN = "#009E73";

/** Offers to edit the first graph of `stage`; `run(edits)` is called with ["link", a, b], ["part", a, b], ["add"], ["remove", a]. */
export class Editor {
  constructor(stage, run) {
    Object.assign(this, { stage, run, on: false, edits: [], held: null });
    this.button = this.#button("Edit the graph", () => this.toggle());
    this.panel = document.createElement("div");
    this.panel.className = "nr-edit";
    this.panel.setAttribute("role", "group");
    this.panel.setAttribute("aria-label", "Edit the graph");
    this.says = document.createElement("output");
    this.parts = {
      link: this.#button("Link or part the two", () => this.#pair()),
      add: this.#button("Add a node", () => this.#do(["add"])),
      remove: this.#button("Remove the node", () => this.#do(["remove", this.chosen.at(-1)])),
      undo: this.#button("Undo", () => this.#undo()),
      run: this.#button("Run again", () => this.run(this.edits)),
    };
    this.parts.run.className = "nr-run";
    this.panel.append(this.says, ...Object.values(this.parts));
    this.panel.hidden = true;
    stage.bar.append(this.button);
    stage.base.prepend(this.panel);
    this.#write();
  }

  #button(words, act) {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = words;
    made.addEventListener("click", act);
    return made;
  }

  /** The pane that is edited. */
  get pane() {
    return this.stage.panes.find((pane) => pane.told.kind === "Graph" && pane.told.items?.kind === "nodes");
  }

  /** What must be painted anew when it changes. */
  get state() {
    return this.on ? `${this.edits}` : "";
  }

  /** How many nodes there are in the graph as it was given. */
  get given() {
    const { pane } = this;
    return pane.now(pane.marks[0]).x.length;
  }

  /** Numbers of the nodes that are selected and not removed. */
  get chosen() {
    const gone = new Set(this.edits.filter(([what]) => what === "remove").map(([, node]) => node));
    return this.stage.selected.map((item) => (item.fresh ? item.place : this.pane.find(item))).filter((i) => i >= 0 && !gone.has(i));
  }

  toggle() {
    this.on = !this.on;
    this.panel.hidden = !this.on;
    this.button.setAttribute("aria-pressed", this.on);
    this.#write();
    this.stage.draw();
  }

  /** In the graph, a second node is taken beside the first. */
  click(pane, item) {
    if (!this.on || !item || pane.told.kind !== "Graph") return false;
    const others = this.stage.selected.filter((other) => other.kind === item.kind).slice(-1);
    const again = others.some((other) => other.place === item.place);
    this.stage.set({ selected: again ? [] : [...others, item] });
    this.#write();
    return true;
  }

  #linked(a, b) {
    const [from, to] = this.pane.links;
    let linked = from.some?.((node, k) => (node === a && to[k] === b) || (node === b && to[k] === a)) ?? false;
    for (const [what, c, d] of this.edits) if ((c === a && d === b) || (c === b && d === a)) linked = what === "link";
    return linked;
  }

  #pair() {
    const [a, b] = this.chosen;
    this.#do([this.#linked(a, b) ? "part" : "link", a, b]);
  }

  #do(edit) {
    this.edits = [...this.edits, edit];
    const { selected } = this.stage;
    if (edit[0] === "add") { // the new node is at hand, to be linked
      const place = this.given + this.edits.filter(([what]) => what === "add").length - 1;
      this.stage.set({ selected: [...selected.slice(-1), { kind: "nodes", place, name: "new node", fresh: true }] });
    } else if (edit[0] === "remove") this.stage.set({ selected: [] });
    this.#write();
    this.stage.draw();
  }

  #undo() {
    this.edits = this.edits.slice(0, -1);
    this.stage.set({ selected: this.stage.selected.filter((item) => !item.fresh) });
    this.#write();
    this.stage.draw();
  }

  #write() {
    const { chosen, edits } = this, { link, add, remove, undo, run } = this.parts;
    const two = this.on && chosen.length === 2;
    link.disabled = !two;
    link.textContent = two ? (this.#linked(...chosen) ? "Part the two" : "Link the two") : "Link or part two";
    remove.disabled = !chosen.length;
    undo.disabled = run.disabled = !edits.length;
    add.disabled = !this.on;
    this.says.textContent = edits.length ? `${edits.length} ${edits.length === 1 ? "change" : "changes"}` : "Click two nodes.";
  }

  /** New links green, parted ones crossed out, removed nodes with a cross, new nodes as rings in the middle of their friends. */
  paint(pen, pane) {
    if (!this.on || pane.told.kind !== "Graph" || !pane.told.items) return;
    const { x, y } = pane.now(pane.marks[0]), { frame } = pane, n = x.length;
    const added = this.edits.filter(([what]) => what === "add").length;
    const places = Array.from(x, (_, i) => [frame.x(x[i]), frame.y(y[i])]);
    for (let i = 0; i < added; i++) {
      const friends = this.edits.filter(([what, a, b]) => what === "link" && Math.max(a, b) === n + i).map(([, a, b]) => places[Math.min(a, b)]);
      const middle = (axis) => friends.reduce((sum, place) => sum + place[axis], 0) / friends.length;
      places.push(friends.length ? [middle(0) + 26, middle(1) - 26] : [frame.left + 20 + 24 * i, frame.top + 16]);
    }
    const line = ([a, b], [c, d]) => { pen.beginPath(); pen.moveTo(a, b); pen.lineTo(c, d); pen.stroke(); };
    const cross = ([a, b], r) => { line([a - r, b - r], [a + r, b + r]); line([a - r, b + r], [a + r, b - r]); };
    pen.save();
    for (const [what, a, b] of this.edits) {
      const [one, two] = [places[a], places[b]];
      if (what === "link" && one && two) {
        Object.assign(pen, { strokeStyle: GREEN, lineWidth: 3 });
        line(one, two);
      } else if (what === "part" && one && two) {
        Object.assign(pen, { strokeStyle: frame.theme.ink, lineWidth: 2 });
        cross([(one[0] + two[0]) / 2, (one[1] + two[1]) / 2], 5);
      } else if (what === "remove" && one) {
        Object.assign(pen, { strokeStyle: frame.theme.ink, lineWidth: 3 });
        cross(one, 11);
      }
    }
    Object.assign(pen, { strokeStyle: GREEN, lineWidth: 3, fillStyle: frame.theme.panel });
    for (const [a, b] of places.slice(n)) {
      pen.beginPath();
      pen.arc(a, b, 8, 0, 7);
      pen.fill();
      pen.stroke();
    }
    pen.restore();
  }

  destroy() {
    this.panel.remove();
    this.button.remove();
  }
}
