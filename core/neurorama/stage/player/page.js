
// ---------------------------------------------------------------- the host: one HTML file, opened from disk

/** What a script element holds: gzip in letters. */
async function unzip(id) {
  const bytes = Uint8Array.from(atob(document.getElementById(id).textContent), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

document.head.append(make("script", "", new TextDecoder().decode(await unzip("plotly"))));
const page = document.documentElement, dark = matchMedia("(prefers-color-scheme: dark)");
const theme = () => page.dataset.theme ?? (dark.matches ? "dark" : "light");
const run = await unzip("run"), place = document.getElementById("stage");
place.replaceChildren(); // the still pictures for those without scripts
const stage = mount(place, run, { plotly: globalThis.Plotly, theme: theme() });
const wear = () => stage.set({ theme: theme() });
dark.addEventListener("change", wear);
document.getElementById("theme").addEventListener("click", () => {
  page.dataset.theme = theme() === "dark" ? "light" : "dark";
  wear();
});
