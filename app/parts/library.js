// What draws a stage, fetched once for a page and before it is asked for: the player's modules and plotly.

globalThis.neuroramaStage ??= (() => {
  const served = (file) => new URL(`./component/${file}`, document.baseURI).href;
  const plotly = new Promise((resolve, reject) => {
    const script = Object.assign(document.createElement("script"), { src: served("parts.player.plotly/plotly.min.js") });
    script.onload = () => resolve(globalThis.Plotly);
    script.onerror = reject;
    document.head.append(script);
  });
  const files = ["stage", "edit"].map((name) => import(served(`parts.player.stage/${name}.js?v=VERSION`)));
  return Promise.all([...files, plotly]);
})();
