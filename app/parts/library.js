// What draws a stage, fetched once for a page and before it is asked for: the player's modules and plotly.

globalThis.neuroramaStage ??= (() => {
  const served = (name) => new URL(`./LIBRARY/${name}`, document.baseURI).href;
  const plotly = new Promise((resolve, reject) => {
    const script = Object.assign(document.createElement("script"), { src: served("plotly.min.js") });
    script.onload = () => resolve(globalThis.Plotly);
    script.onerror = reject;
    document.head.append(script);
  });
  return Promise.all([import(served("stage.js")), import(served("edit.js")), plotly]);
})();
