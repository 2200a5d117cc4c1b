"use strict";
// The page of one array: a map of its rows and columns, sliders for its other axes, limits of
// colours, the value under the pointer, and the values along an axis where one clicks.

const get = (name) => document.getElementById(name);

async function told(name, given) {
  const query = new URLSearchParams(given).toString();
  const answer = await fetch(query ? `${name}?${query}` : name);
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.problem);
  return body;
}

function start(about) {
  const index = about.axes.map(() => 0);
  const scale = 2 ** about.zooms;
  // One unit of the map is an element at the greatest zoom; rows are counted downwards.
  const crs = L.extend({}, L.CRS.Simple, {
    transformation: new L.Transformation(1 / scale, 0, 1 / scale, 0),
  });
  const bounds = [[0, 0], [about.rows, about.columns]];
  const map = L.map("map", {
    crs, minZoom: 0, maxZoom: about.zooms + 5, zoomSnap: 0.25, attributionControl: true,
    maxBounds: [[-about.rows / 2, -about.columns / 2], [about.rows * 1.5, about.columns * 1.5]],
  });
  map.attributionControl.setPrefix("");
  document.title = about.title;
  get("title").textContent = about.label ? `${about.title}: ${about.label}` : about.title;

  const flagged = () => get("cmap").value === "flags";
  const shown = () => {
    const given = { index: index.join(",") };
    if (!about.coloured) given.cmap = get("cmap").value;
    if (!about.coloured && !flagged()) {
      given.vmin = get("vmin").value;
      given.vmax = get("vmax").value;
    }
    return new URLSearchParams(given).toString();
  };
  const Tiles = L.TileLayer.extend({
    getTileUrl(at) { return `tile/${at.z}/${at.x}/${at.y}.png?${shown()}`; },
  });
  const layer = new Tiles("", {
    tileSize: 256, minZoom: 0, maxNativeZoom: about.zooms, maxZoom: about.zooms + 5,
    bounds, noWrap: true, attribution: about.attribution,
  });
  layer.on("tileerror", async (event) => {
    const answer = await fetch(event.tile.src).catch(() => null);
    if (answer === null) get("problem").textContent = "the server does not answer";
    else if (!answer.ok) get("problem").textContent = (await answer.json()).problem;
  });
  layer.on("loading", () => { get("problem").textContent = ""; });

  function redraw() {
    const limits = ["vmin", "vmax"].map((name) => get(name).value);
    if (!about.coloured && !flagged() && limits.includes("")) return;  // one is being written
    layer.redraw();
    bar();
  }
  if (!about.coloured) {
    get("colours").hidden = false;
    const maps = about.flags.length ? ["flags", ...about.maps] : about.maps;
    for (const name of maps) get("cmap").add(new Option(name, name));
    get("cmap").value = about.colours.cmap;
    const { vmin, vmax } = about.colours;
    // As many digits as tell a thousandth of what lies between them.
    const digits = Math.ceil(Math.log10(Math.max(Math.abs(vmin), Math.abs(vmax)) / (vmax - vmin))) + 3;
    const rounded = (limit) => Number(limit.toPrecision(Math.min(17, Math.max(3, digits))));
    get("vmin").value = rounded(vmin);
    get("vmax").value = rounded(vmax);
    for (const [text, colour] of about.flags) {
      const item = document.createElement("li");
      const patch = document.createElement("span");
      patch.style.background = colour;
      item.append(patch, text);
      get("flags").append(item);
    }
    for (const name of ["cmap", "vmin", "vmax"]) get(name).addEventListener("change", redraw);
  }

  async function bar() {
    if (about.coloured) return;
    get("flags").hidden = !flagged();
    get("bar").hidden = get("vmin").disabled = get("vmax").disabled = flagged();
    if (flagged()) return;
    get("high").textContent = get("vmax").value;
    get("low").textContent = get("vmin").value;
    const image = new Image();
    image.src = `ramp.png?${new URLSearchParams({ cmap: get("cmap").value })}`;
    await image.decode().catch(() => {});
    const draw = get("ramp").getContext("2d");
    draw.drawImage(image, 0, 0, 16, 200);
  }

  about.axes.forEach((axis, place) => {
    const label = document.createElement("label");
    const slider = document.createElement("input");
    const output = document.createElement("output");
    const name = document.createElement("span");
    name.textContent = axis.name;
    Object.assign(slider, { type: "range", min: 0, max: axis.length - 1, value: 0 });
    slider.id = `axis-${place}`;
    const say = () => {
      const number = Number(slider.value);
      output.textContent = axis.names ? axis.names[number] : `${number} of ${axis.length}`;
    };
    let waiting = 0;
    slider.addEventListener("input", () => {
      index[place] = Number(slider.value);
      say();
      clearTimeout(waiting);
      waiting = setTimeout(redraw, 120);
    });
    say();
    label.append(name, slider, output);
    get("axes").append(label);
  });

  const inside = (at) => at.lat >= 0 && at.lng >= 0 && at.lat < about.rows && at.lng < about.columns;
  const place = (at) => ({
    row: Math.floor(at.lat), column: Math.floor(at.lng), index: index.join(","),
  });
  let last = 0;
  let pointer = 0;
  map.on("mousemove", (event) => {
    clearTimeout(pointer);
    if (!inside(event.latlng)) { get("value").textContent = ""; return; }
    pointer = setTimeout(async () => {
      const mine = ++last;
      const at = place(event.latlng);
      try {
        const found = await told("value.json", at);
        if (mine !== last) return;
        const exact = typeof found.value === "string" ? found.value : JSON.stringify(found.value);
        const value = found.value === null ? "missing" : exact;
        get("value").textContent = [`row ${at.row}, column ${at.column}`, ...found.where, value].join("   ");
      } catch (error) { get("problem").textContent = error.message; }
    }, 60);
  });

  let clicked = null;
  about.axes.forEach((axis, number) => get("series-axis").add(new Option(`along ${axis.name}`, number)));
  get("series-axis").hidden = about.axes.length < 2;
  get("series-axis").addEventListener("change", () => clicked && series(clicked));
  get("series-close").addEventListener("click", () => { get("series").hidden = true; map.invalidateSize(); });
  map.on("click", (event) => {
    if (!about.axes.length || about.coloured || !inside(event.latlng)) return;
    clicked = event.latlng;
    series(clicked);
  });
  async function series(at) {
    try {
      const axis = Number(get("series-axis").value || 0);
      const found = await told("series.json", { ...place(at), axis });
      const spot = place(at);
      get("series-title").textContent = `row ${spot.row}, column ${spot.column} along ${about.axes[axis].name}`;
      get("series").hidden = false;
      map.invalidateSize();
      plot(found.values, about.axes[axis].names, found.step);
    } catch (error) { get("problem").textContent = error.message; }
  }

  map.fitBounds(bounds);
  layer.addTo(map);
  bar();
  window.biggus = { map, layer };
}

function plot(values, names, step) {
  const canvas = get("plot");
  const draw = canvas.getContext("2d");
  canvas.width = canvas.clientWidth;  // or what is written is stretched
  const [width, height, left, foot] = [canvas.width, canvas.height, 70, 22];
  draw.clearRect(0, 0, width, height);
  const known = values.filter((value) => typeof value === "number");
  if (!known.length) { draw.fillText("all values are missing", left, height / 2); return; }
  let [low, high] = [Math.min(...known), Math.max(...known)];
  if (low === high) { low -= 1; high += 1; }
  const x = (i) => left + (width - left - 10) * (values.length > 1 ? i / (values.length - 1) : 0.5);
  const y = (value) => height - foot - (height - foot - 8) * (value - low) / (high - low);
  draw.font = "12px system-ui, sans-serif";
  draw.fillStyle = "#475160";
  draw.strokeStyle = "#d5d9df";
  for (const value of [low, (low + high) / 2, high]) {
    draw.beginPath(); draw.moveTo(left, y(value)); draw.lineTo(width - 10, y(value)); draw.stroke();
    draw.textAlign = "right";
    draw.fillText(Number(value.toPrecision(5)), left - 6, y(value) + 4);
  }
  draw.textAlign = "left";
  draw.fillText(names ? names[0] : "0", left, height - 6);
  draw.textAlign = "right";
  const end = (values.length - 1) * step;
  draw.fillText(names ? names[end] : String(end), width - 10, height - 6);
  draw.strokeStyle = "#1f5a96";
  draw.lineWidth = 1.5;
  draw.lineCap = "round";  // a value without neighbours is a point
  draw.beginPath();
  let pen = false;
  values.forEach((value, i) => {
    if (typeof value !== "number") { pen = false; return; }
    if (!pen) draw.moveTo(x(i), y(value));
    draw.lineTo(x(i), y(value));
    pen = true;
  });
  draw.stroke();
}

told("about.json", {}).then(start).catch((error) => { get("problem").textContent = error.message; });
