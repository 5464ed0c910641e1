// The host of the stage in Streamlit: hands over bytes as they come, and asks for all of them if some got lost.
// library.js stands before it.

const hosts = new WeakMap(); // of each place on the page its stage, and the bytes it has

/** Whether the page is dark: the sum of its background's tones. */
function themeOf(element) {
  const pen = document.createElement("canvas").getContext("2d");
  pen.fillStyle = getComputedStyle(element).getPropertyValue("--st-background-color");
  const tones = [1, 3, 5].map((at) => parseInt(pen.fillStyle.slice(at, at + 2), 16));
  return tones[0] + tones[1] + tones[2] < 384 ? "dark" : "light";
}

const same = (a, b) => a && a.length === b.length && a.every((byte, i) => byte === b[i]);

export default function ({ data, parentElement, setTriggerValue }) {
  const host = hosts.get(parentElement) ?? { queue: Promise.resolve() };
  hosts.set(parentElement, host);
  host.send = setTriggerValue;
  host.queue = host.queue.then(async () => {
    const [{ mount }, { Editor }, plotly] = await globalThis.neuroramaStage;
    if (host.gone) return;
    const theme = themeOf(parentElement);
    try {
      if (!host.stage) {
        host.stage = mount(parentElement, data, { plotly, theme });
      } else if (!same(host.data, data)) host.stage.update(data);
      host.data = data;
      const { stage } = host, { run, edit } = stage.description.about;
      if (host.run !== run || !edit) stage.editor = stage.editor?.destroy();
      if (edit && !stage.editor) stage.editor = new Editor(stage, (edits) => host.send("edits", edits));
      host.run = run;
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      host.send("lost", true); // an array that was sent in a message which never came
    }
    host.stage?.set({ theme });
  });
  return () => {
    host.gone = true;
    host.stage?.destroy();
    hosts.delete(parentElement);
  };
}
