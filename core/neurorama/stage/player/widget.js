
// ---------------------------------------------------------------- the host: a notebook, by way of anywidget

/** Plotly, once per page; the kernel has it. */
function library(model) {
  globalThis.neuroramaPlotly ??= new Promise((resolve) => {
    model.on("msg:custom", async (message, [packed]) => {
      if (message !== "plotly") return;
      const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
      const script = make("script", "", await new Response(stream).text());
      document.head.append(script);
      resolve(globalThis.Plotly);
    });
    model.send("plotly");
  });
  return globalThis.neuroramaPlotly;
}

function themeOf(model) {
  const { body } = document;
  const dark = body.dataset.jpThemeLight === "false" || body.matches(".vscode-dark, .vscode-high-contrast");
  return model.get("theme") || (dark ? "dark" : "light");
}

export default {
  async render({ model, el }) {
    const tell = (name) => (value) => {
      model.set(name, value);
      model.save_changes();
    };
    const stage = mount(el, model.get("blob"), {
      plotly: await library(model), theme: themeOf(model), step: model.get("step"), selected: model.get("selected"),
      onStep: tell("step"), onSelect: tell("selected"),
    });
    stage.root.classList.add("nr-above");
    const wear = () => stage.set({ theme: themeOf(model) });
    const watcher = new MutationObserver(wear);
    watcher.observe(document.body, { attributes: true });
    model.on("change:theme", wear);
    model.on("change:step", () => stage.set({ step: model.get("step") }));
    model.on("change:selected", () => stage.set({ selected: model.get("selected") }));
    return () => {
      watcher.disconnect();
      stage.destroy();
    };
  },
};
