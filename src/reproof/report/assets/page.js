// Draws the map of steps, the curves and the events of a step from the rows in the page. One step has the focus.
// Texts of a run are only ever put into text nodes.
"use strict";
(async () => {
  const rows = JSON.parse(document.getElementById("rows").textContent);
  const NONE = 0, EQUAL = 1, NOT_COMPARED = 2, DIFFERENT = 3;
  const WORDS = { [NONE]: "no event", [EQUAL]: "equal", [NOT_COMPARED]: "not compared", [DIFFERENT]: "differs" };
  const SIGNS = { [NONE]: "", [EQUAL]: "= ", [NOT_COMPARED]: "? ", [DIFFERENT]: "≠ " };
  const BLOCK = 256, ROW = 20, GAP = 2, TOP = 14, AXIS = 22;
  const first = rows.first && rows.first.stage !== "output" ? rows.first.step : null;  // output has no column
  const kept = new Map(rows.steps.map((row) => [row.step, row]));
  const thousands = (n) => n.toLocaleString("en-US");
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();

  function element(tag, settings = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(settings)) node.setAttribute(name, value);
    node.append(...children);
    return node;
  }

  // --- the states of all steps -------------------------------------------------------------------------------------

  async function inflate(text) {
    const packed = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  // Counts of each state in blocks of steps, so that a range of a million steps is counted in a few thousand additions.
  function countBlocks(plane) {
    const sums = new Uint16Array(Math.ceil(plane.length / BLOCK) * 4);
    for (let i = 0; i < plane.length; i++) sums[(i >> 8) * 4 + plane[i]]++;
    return sums;
  }

  function countRange(row, lo, hi) {
    const found = [0, 0, 0, 0];
    let i = lo;
    while (i < hi) {
      if (i % BLOCK === 0 && i + BLOCK <= hi) {
        const at = (i >> 8) * 4;
        for (let state = 0; state < 4; state++) found[state] += row.sums[at + state];
        i += BLOCK;
      } else found[row.plane[i++]]++;
    }
    return found;
  }

  const worst = (counts) => counts[DIFFERENT] ? DIFFERENT : counts[NOT_COMPARED] ? NOT_COMPARED : counts[EQUAL] ? EQUAL : NONE;

  async function openMap(map) {
    const stages = [];
    for (const [stage, text] of map.planes) {
      const plane = await inflate(text);
      stages.push({ stage, plane, sums: countBlocks(plane) });
    }
    return { ...map, stages };
  }

  const maps = await Promise.all(rows.maps.map(openMap));
  const count = Math.max(1, ...maps.map((map) => map.num_columns));
  const numSteps = maps.length ? maps[0].num_steps : 0;
  const nameOf = (step) => maps.length && step >= numSteps ? "After the last step" : `Step ${thousands(step)}`;

  const view = { lo: 0, hi: count };
  let current = Math.min(first ?? rows.resume?.continues_at ?? 0, count - 1);
  const drawings = [];  // functions that draw for a view and a step
  let isDue = false;

  function draw() {
    if (isDue) return;
    isDue = true;
    requestAnimationFrame(() => { isDue = false; for (const one of drawings) one(); });
  }

  function look(lo, hi) {
    const size = Math.max(Math.min(8, count), Math.min(count, Math.round(hi - lo)));
    view.lo = Math.max(0, Math.min(count - size, Math.round(lo)));
    view.hi = view.lo + size;
    draw();
  }

  function choose(step) {
    current = Math.max(0, Math.min(count - 1, step));
    if (current < view.lo || current >= view.hi) look(current - (view.hi - view.lo) / 2, current + (view.hi - view.lo) / 2);
    showStep();
    draw();
  }

  function zoom(factor) {
    const size = (view.hi - view.lo) * factor;
    look(current - size / 2, current + size / 2);
  }

  // --- the map -----------------------------------------------------------------------------------------------------

  // The edges of the columns: the one that holds the first divergence begins with it, so that none mixes before and after.
  function columnEdges(width) {
    const steps = view.hi - view.lo;
    const num = steps * 4 <= width ? steps : Math.max(1, Math.min(steps, Math.floor(width / 2)));
    const edges = Array.from({ length: num + 1 }, (_, i) => view.lo + Math.floor((i * steps) / num));
    if (first !== null && first > view.lo && first < view.hi) {
      let at = edges.findIndex((edge) => edge > first) - 1;
      if (at === 0) at = 1;
      if (at > 0 && at < num) edges[at] = first;
      for (let i = at + 1; i < num; i++) edges[i] = Math.max(edges[i], edges[i - 1]);
    }
    return edges;
  }

  function makeMap(map, parent) {
    const canvas = element("canvas");
    const box = element("div", {
      class: "map-box", tabindex: "0", role: "slider", "aria-valuemin": "0", "aria-valuemax": String(count - 1),
      "aria-label": `Map of steps and stages${maps.length > 1 ? `, ${map.name}` : ""}`,
    }, canvas);
    const tip = element("div", { class: "tip", hidden: "" });
    box.append(tip);
    parent.append(box);
    let edges = [], left = 0, width = 0, from = null, to = null;

    const hatch = (context) => {
      const tile = element("canvas");
      tile.width = tile.height = 6;
      const pen = tile.getContext("2d");
      pen.fillStyle = colour("none"); pen.fillRect(0, 0, 6, 6);
      pen.strokeStyle = colour("unknown"); pen.lineWidth = 1.5;
      pen.beginPath(); pen.moveTo(-1, 7); pen.lineTo(7, -1); pen.stroke();
      return context.createPattern(tile, "repeat");
    };

    function paint() {
      const total = box.clientWidth, height = TOP + map.stages.length * (ROW + GAP) + AXIS;
      if (!total) return;
      const scale = window.devicePixelRatio || 1;
      canvas.width = Math.round(total * scale); canvas.height = Math.round(height * scale);
      canvas.style.height = `${height}px`;
      const pen = canvas.getContext("2d");
      pen.scale(scale, scale);
      pen.font = `${total < 420 ? 11 : 12}px ${getComputedStyle(document.body).fontFamily}`;
      left = total < 420 ? 58 : 76; width = total - left - 2;
      edges = columnEdges(width);
      const num = edges.length - 1, wide = width / num, gap = wide >= 6 ? 1 : 0;
      const fills = [colour("none"), colour("same-fill"), hatch(pen), colour("differs-fill")];
      map.stages.forEach((row, number) => {
        const y = TOP + number * (ROW + GAP);
        pen.fillStyle = colour("ink2"); pen.textAlign = "right"; pen.textBaseline = "middle";
        pen.fillText(row.stage, left - 8, y + ROW / 2);
        for (let i = 0; i < num; i++) {
          if (edges[i + 1] <= edges[i]) continue;
          const counts = countRange(row, edges[i], edges[i + 1]), state = worst(counts);
          const x = left + i * wide, size = Math.max(1, wide - gap + (gap ? 0 : 0.4));
          if (state !== DIFFERENT) { pen.fillStyle = fills[state]; pen.fillRect(x, y, size, ROW); continue; }
          const share = counts[DIFFERENT] / (edges[i + 1] - edges[i]), tall = ROW * Math.max(0.4, share);
          pen.fillStyle = fills[counts[EQUAL] ? EQUAL : NONE]; pen.fillRect(x, y, size, ROW);
          pen.fillStyle = fills[DIFFERENT]; pen.fillRect(x, y + ROW - tall, size, tall);
        }
      });
      const bottom = TOP + map.stages.length * (ROW + GAP);
      paintAxis(pen, bottom, num, wide);
      if (from !== null && to !== null) {
        pen.fillStyle = colour("ink"); pen.globalAlpha = 0.15;
        pen.fillRect(Math.min(from, to), TOP, Math.abs(to - from), bottom - TOP); pen.globalAlpha = 1;
      }
      const at = columnOf(current);
      if (at >= 0) {
        pen.strokeStyle = colour("ink"); pen.lineWidth = 2;
        pen.strokeRect(left + at * wide - 1, TOP - 2, Math.max(3, wide - gap) + 2, bottom - TOP + 2);
      }
      say();
    }

    function paintAxis(pen, bottom, num, wide) {
      pen.textBaseline = "top"; pen.textAlign = "center";
      const middle = (i) => left + (i + (num === view.hi - view.lo ? 0.5 : 0)) * wide;
      let own = null;
      if (first !== null && map.is_main && columnOf(first) >= 0) {
        const i = columnOf(first), x = left + i * wide;
        pen.fillStyle = colour("ink"); pen.fillRect(x - 1, TOP - 4, 2, bottom - TOP + 4);
        pen.fillStyle = colour("differs-fill");
        pen.beginPath(); pen.moveTo(x - 6, 0); pen.lineTo(x + 6, 0); pen.lineTo(x, 9); pen.fill();
        const text = `step ${thousands(first)}`, half = pen.measureText(text).width / 2;
        own = Math.max(left + half, Math.min(left + width - half, middle(i)));
        pen.fillStyle = colour("differs"); pen.fillText(text, own, bottom + 5);
      }
      pen.fillStyle = colour("ink3");
      const steps = view.hi - view.lo, rough = steps / Math.max(2, width / 90), power = 10 ** Math.floor(Math.log10(rough));
      const stride = Math.max(1, Math.round([1, 2, 5, 10].find((n) => n * power >= rough) * power));
      for (let step = Math.ceil(view.lo / stride) * stride; step < Math.min(view.hi, numSteps || count); step += stride) {
        const x = left + ((step - view.lo) / steps) * width + (num === steps ? wide / 2 : 0);
        const half = pen.measureText(thousands(step)).width / 2;
        if (x + half > left + width + 2 || (own !== null && Math.abs(x - own) < half + 44)) continue;
        pen.fillText(thousands(step), Math.max(x, left + half), bottom + 5);
      }
    }

    function columnOf(step) {
      if (step < view.lo || step >= view.hi) return -1;
      for (let lo = 0, hi = edges.length - 2; lo <= hi;) {
        const at = (lo + hi) >> 1;
        if (edges[at + 1] <= step) lo = at + 1; else if (edges[at] > step) hi = at - 1; else return at;
      }
      return -1;
    }

    function say() {
      const told = map.stages.map((row) => [row.stage, row.plane[current] || NONE]).filter(([, state]) => state);
      const text = told.map(([stage, state]) => `${stage} ${WORDS[state]}`).join(", ") || "no event";
      box.setAttribute("aria-valuenow", String(current));
      box.setAttribute("aria-valuetext", `${nameOf(current)}: ${text}${current === first ? "; the first divergence" : ""}`);
    }

    function columnAt(event) {
      const x = event.clientX - canvas.getBoundingClientRect().left - left;
      return Math.max(0, Math.min(edges.length - 2, Math.floor((x / width) * (edges.length - 1))));
    }

    function leadTo(column) {
      const lo = edges[column], hi = Math.max(lo + 1, edges[column + 1]);
      if (first !== null && first >= lo && first < hi) return first;
      for (let step = lo; step < hi; step++) if (map.stages.some((row) => row.plane[step] === DIFFERENT)) return step;
      return lo;
    }

    function hover(event) {
      const column = columnAt(event), lo = edges[column], hi = Math.max(lo + 1, edges[column + 1]);
      const y = event.clientY - canvas.getBoundingClientRect().top - TOP, row = map.stages[Math.floor(y / (ROW + GAP))];
      if (!row || y < 0) { tip.hidden = true; return; }
      const counts = countRange(row, lo, hi);
      const range = hi - lo === 1 ? nameOf(lo) : `Steps ${thousands(lo)} to ${thousands(hi - 1)}`;
      const told = hi - lo === 1 ? WORDS[worst(counts)] : [3, 2, 1].filter((s) => counts[s]).map((s) => `${thousands(counts[s])} ${WORDS[s]}`).join(", ");
      tip.textContent = `${range}, ${row.stage}: ${told || "no event"}`;
      tip.hidden = false;
      const half = tip.offsetWidth / 2;
      tip.style.left = `${Math.max(half, Math.min(box.clientWidth - half, event.clientX - canvas.getBoundingClientRect().left))}px`;
    }

    canvas.addEventListener("pointerdown", (event) => {
      from = event.clientX - canvas.getBoundingClientRect().left; to = null;
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (from === null) { hover(event); return; }
      const x = event.clientX - canvas.getBoundingClientRect().left;
      to = Math.abs(x - from) > 6 ? x : null; tip.hidden = true; paint();
    });
    canvas.addEventListener("pointerup", (event) => {
      if (from === null) return;
      if (to === null) choose(leadTo(columnAt(event)));
      else {
        const steps = view.hi - view.lo, place = (x) => view.lo + Math.max(0, Math.min(1, (x - left) / width)) * steps;
        look(Math.floor(place(Math.min(from, to))), Math.ceil(place(Math.max(from, to))));
      }
      from = to = null; tip.hidden = true; draw();
    });
    canvas.addEventListener("pointercancel", () => { from = to = null; draw(); });
    canvas.addEventListener("pointerleave", () => { tip.hidden = true; });
    canvas.addEventListener("dblclick", () => look(0, count));
    box.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const page = Math.max(1, Math.round((view.hi - view.lo) / 8)), by = event.shiftKey ? 10 : 1;
      const moves = {
        ArrowLeft: () => choose(current - by), ArrowRight: () => choose(current + by),
        ArrowDown: () => choose(current - by), ArrowUp: () => choose(current + by),
        PageDown: () => choose(current + page), PageUp: () => choose(current - page),
        Home: () => choose(0), End: () => choose(count - 1), d: () => first !== null && choose(first),
        "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2),
      };
      if (!moves[event.key]) return;
      event.preventDefault(); tip.hidden = true; moves[event.key]();
    });
    drawings.push(paint);
    new ResizeObserver(draw).observe(box);
  }

  function makeMaps() {
    const parent = document.getElementById("maps");
    if (!parent) return;
    maps.forEach((map, number) => {
      if (!number) {
        if (maps.length > 1) parent.append(element("p", { class: "chart-title" }, element("strong", {}, map.name), map.is_main && rows.first ? ", which parted first" : ""));
        makeMap(map, parent);
        return;
      }
      const differs = map.stages.some((row) => row.plane.includes(DIFFERENT));
      const fold = element("details", {}, element("summary", {}, `${map.name}: ${differs ? "≠ differs" : "= equal as far as it was compared"}`));
      fold.open = differs;
      parent.append(fold);
      fold.addEventListener("toggle", draw);
      makeMap(map, fold);
    });
    const buttons = document.getElementById("map-buttons");
    const add = (text, label, action) => {
      const button = element("button", { type: "button", "aria-label": label }, text);
      button.addEventListener("click", action); buttons.append(button);
    };
    if (first !== null) add(`Go to step ${thousands(first)}`, `Go to step ${thousands(first)}, the first divergence`, () => choose(first));
    add("+", "Zoom in", () => zoom(0.5)); add("−", "Zoom out", () => zoom(2));
    add("All steps", "All steps", () => look(0, count));
  }

  // --- the events of a step ----------------------------------------------------------------------------------------

  function eventRow(event) {
    const differs = event.state === DIFFERENT;
    const told = event.detail ? `${event.name} ${event.detail}` : event.name;
    const value = (text) => element("td", { class: "value" }, text ? (differs ? "≠ " : "") + text : "–");
    return element("tr", { class: differs ? "differs" : "" }, element("th", { scope: "row" }, event.stage),
      element("td", { class: "name" }, element("code", {}, told)), value(event.baseline), value(event.candidate));
  }

  function eventTable(events, title) {
    const head = element("tr", {}, ...["Stage", "Event", ...rows.sides.map((side) => side[0].toUpperCase() + side.slice(1))].map((text) => element("th", { scope: "col" }, text)));
    return element("table", { class: "events" }, element("caption", { class: "hidden" }, title), element("thead", {}, head),
      element("tbody", {}, ...events.map(eventRow)));
  }

  function showStep() {
    const place = document.getElementById("step");
    if (!place) return;
    const map = maps[0], row = kept.get(current);
    const differing = map.stages.filter((one) => one.plane[current] === DIFFERENT).map((one) => one.stage);
    const title = `${nameOf(current)}: ${differing.length ? `differs in ${differing.join(", ")}` : "no difference"}${current === first ? " (first divergence)" : ""}`;
    const parts = [element("h3", {}, title)];
    if (!row) {
      const states = map.stages.filter((one) => one.plane[current]).map((one) => `${SIGNS[one.plane[current]]}${one.stage}`).join("   ");
      parts.push(element("p", {}, states || "No event."), element("p", { class: "note" }, "Digests of this step are not in the page: ",
        element("code", {}, `reproof show ${rows.runs[0]}${maps.length && maps[0].process ? `/processes/${maps[0].process}` : ""} --step ${current}`)));
    } else {
      const sorted = row.events.filter((event) => event.state !== EQUAL).sort((a, b) => b.state - a.state), equal = row.events.filter((event) => event.state === EQUAL);
      const shown = sorted.slice(0, 8), rest = [...sorted.slice(8), ...equal];
      if (shown.length) parts.push(eventTable(shown, title));
      if (rest.length || row.rng.length) {
        const more = sorted.slice(8).filter((event) => event.state === DIFFERENT).length, open = sorted.length - shown.length - more;
        const told = [more ? `${more} more that differ` : "", open ? `${open} not compared` : "", equal.length ? `${equal.length} equal ${equal.length > 1 ? "events" : "event"}` : "", row.rng.length ? "random states" : ""].filter(Boolean).join(", ");
        const fold = element("details", {}, element("summary", {}, told), ...(rest.length ? [eventTable(rest, `${title}, the rest`)] : []));
        if (row.rng.length) fold.append(element("p", { class: "note" }, `Random number generators in other states after this step: ${row.rng.join(", ")}`));
        parts.push(fold);
      }
      if (row.num_more) parts.push(element("p", { class: "note" }, `${thousands(row.num_more)} events of this step are not in the page.`));
    }
    place.replaceChildren(...parts);
  }

  // --- curves ------------------------------------------------------------------------------------------------------

  const charts = [];
  const short = (n) => n === null || n === undefined ? "–" : Number(n.toPrecision(6)).toString();

  function makeChart(parent, title, label, data, series, settings) {
    const caption = element("p", { class: "chart-title" });
    const box = element("div", { role: "img", "aria-label": label });
    if (title) parent.append(caption);
    parent.append(box);
    const build = () => {
      const axis = { stroke: colour("ink3"), grid: { stroke: colour("line"), width: 1 }, ticks: { show: false }, font: "12px sans-serif" };
      const mark = (u) => {
        const pen = u.ctx, { top, height, left, width } = u.bbox;
        const line = (step, ink, dash) => {
          const x = u.valToPos(step, "x", true);
          if (x < left || x > left + width) return;
          pen.save(); pen.strokeStyle = ink; pen.lineWidth = devicePixelRatio * 1.5; pen.setLineDash(dash);
          pen.beginPath(); pen.moveTo(x, top); pen.lineTo(x, top + height); pen.stroke(); pen.restore();
        };
        if (first !== null) line(first, colour("differs-fill"), [3 * devicePixelRatio, 3 * devicePixelRatio]);
        if (current !== first) line(current, colour("ink"), []);
        if (settings.wash && first > 0) {
          const x = Math.min(left + width, Math.max(left, u.valToPos(first, "x", true)));
          pen.save(); pen.globalAlpha = 0.6; pen.fillStyle = colour("same-wash"); pen.fillRect(left, top, x - left, height); pen.globalAlpha = 1;
          if (x - left > 110 * devicePixelRatio) {
            pen.fillStyle = colour("same"); pen.font = `${12 * devicePixelRatio}px sans-serif`; pen.textAlign = "center";
            pen.fillText("equal to the bit", (left + x) / 2, top + height / 2);
          }
          pen.restore();
        }
      };
      const options = {
        width: Math.max(200, box.clientWidth), height: settings.height, legend: { show: false }, cursor: { drag: { x: false, y: false }, y: false },
        scales: { x: { time: false, range: () => [view.lo, Math.max(view.lo + 1, Math.min(view.hi, Math.max(count, 2)) - 1)] }, y: settings.scale || {} },
        axes: [{ ...axis, values: (_, ticks) => ticks.map((n) => Number.isInteger(n) ? thousands(n) : ""), size: 26 },
          { ...axis, size: 58, ...settings.axis, values: settings.values || ((_, ticks) => ticks.map(short)) }],
        series: [{}, ...series()], hooks: { draw: [mark] },
      };
      const plot = new uPlot(options, data, box);
      plot.over.addEventListener("click", () => {
        const at = plot.cursor.idx;
        if (at !== null && at !== undefined) choose(Math.floor(data[0][at]));
      });
      return plot;
    };
    const chart = { plot: build(), box, data, caption, tell: settings.tell, build };
    charts.push(chart);
    if (title) chart.head = title;
    return chart;
  }

  function refreshCharts() {
    for (const chart of charts) {
      chart.plot.setScale("x", { min: view.lo, max: Math.max(view.lo + 1, view.hi - 1) });
      chart.plot.redraw(false);
      if (chart.head) chart.caption.replaceChildren(element("strong", {}, chart.head), ` ${chart.tell ? chart.tell() : ""}`);
    }
  }

  function nearest(steps, step) {
    let lo = 0, hi = steps.length - 1;
    while (lo < hi) { const at = (lo + hi) >> 1; if (steps[at] < step) lo = at + 1; else hi = at; }
    return steps[lo] === step ? lo : -1;
  }

  function makeCurve(row, number) {
    const parent = document.getElementById(`curve-${number}`);
    if (!parent || !row.steps.length) return;
    const within = row.steps.map((step, i, all) => {  // of several in one step, each has its part of it
      const from = all.indexOf(step), until = all.lastIndexOf(step);
      return step + (i - from) / (until - from + 1);
    });
    const gap = row.steps.map((_, i) => row.baseline[i] === null || row.candidate[i] === null ? null : Math.abs(row.baseline[i] - row.candidate[i]));
    const tell = () => {
      const at = nearest(row.steps, current);
      if (at < 0) return `${nameOf(current).toLowerCase()}: not among the points that are drawn`;
      const ulp = row.ulp && row.ulp[at] >= 0 ? ` (${thousands(row.ulp[at])} ulp)` : "";
      const apart = gap[at] === 0 ? "equal" : gap[at] === null ? "not finite" : `${Number(gap[at].toPrecision(3))} apart${ulp}`;
      return `${nameOf(current).toLowerCase()}: ${short(row.baseline[at])} and ${short(row.candidate[at])}, ${apart}`;
    };
    const key = element("p", { class: "chart-title" }, element("span", { class: "line-base" }), ` ${rows.sides[0]}`, element("span", { class: "line-cand" }), ` ${rows.sides[1]}`);
    parent.append(key);
    const lines = () => [
      { stroke: colour("same"), width: 2, points: { show: row.steps.length < 40, size: 4 } },
      { stroke: colour("differs-fill"), width: 1.6, dash: [5, 4], points: { show: false } },
    ];
    makeChart(parent, "Both runs,", `${row.name} of both runs. ${row.told}`, [within, row.baseline, row.candidate], lines, { height: 190, tell });
    if (!row.num_differing) return;
    const found = gap.filter((x) => x > 0).map((x) => Math.floor(Math.log10(x)));
    if (!found.length) return;
    const low = found.reduce((a, b) => Math.min(a, b)), high = found.reduce((a, b) => Math.max(a, b)) + 1;
    const dots = () => [{ stroke: colour("differs-fill"), width: 0, paths: () => null, points: { show: true, size: 4, fill: colour("differs-fill") } }];
    const every = Math.max(1, Math.ceil((high - low) / 5));
    const splits = [low - 1, ...Array.from({ length: high - low + 1 }, (_, i) => low + i).filter((_, i) => i % every === 0)];
    makeChart(parent, "Difference,", `Difference of ${row.name} on a logarithmic scale. ${row.told}`,
      [within, gap.map((x) => x === null ? null : x === 0 ? low - 1 : Math.log10(x))], dots,
      { height: 150, wash: true, scale: { range: [low - 1.3, high + 0.1] }, axis: { splits: () => splits },
        values: (_, ticks) => ticks.map((n) => n === low - 1 ? "0" : `1e${n}`), tell: () => "absolute, logarithmic; a point on the line “0” is equal to the bit" });
  }

  function makeSpread() {
    const parent = document.getElementById("spread");
    if (!parent || !maps.length) return;
    const map = maps[0], until = Math.max(1, Math.min(count, numSteps)), num = Math.min(until, 1500), steps = [], share = [];
    for (let i = 0; i < num; i++) {
      const lo = Math.floor((i * until) / num), hi = Math.max(lo + 1, Math.floor(((i + 1) * until) / num));
      let differing = 0, all = 0;
      for (const row of map.stages) { const found = countRange(row, lo, hi); differing += found[DIFFERENT]; all += hi - lo - found[NONE]; }
      steps.push(first !== null && first >= lo && first < hi ? first : lo);
      share.push(all ? (100 * differing) / all : 0);
    }
    const area = () => [{ stroke: colour("differs-fill"), width: 1.5, fill: colour("differs-wash"), points: { show: num < 40 }, paths: uPlot.paths.stepped({ align: 1 }) }];
    makeChart(parent, "", "Share of the events of each step that differ", [steps, share], area,
      { height: 120, scale: { range: [0, 100] }, axis: { splits: () => [0, 50, 100] }, values: (_, ticks) => ticks.map((n) => `${n} %`) });
  }

  makeMaps();
  showStep();
  rows.curves.forEach(makeCurve);
  makeSpread();
  drawings.push(refreshCharts);
  const resize = new ResizeObserver(() => {
    for (const chart of charts) chart.plot.setSize({ width: Math.max(200, chart.box.clientWidth), height: chart.plot.height });
  });
  const section = document.getElementById("curves");
  if (section) resize.observe(section);
  // Canvas and charts have the colours of when they were drawn: paper is light, whatever the screen is.
  const redraw = () => {
    for (const chart of charts) { chart.plot.destroy(); chart.plot = chart.build(); }
    for (const one of drawings) one();
  };
  const print = (isPrinting) => () => { document.documentElement.classList.toggle("printing", isPrinting); redraw(); };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  addEventListener("beforeprint", print(true));
  addEventListener("afterprint", print(false));
  for (const link of document.querySelectorAll("a[data-step]")) link.addEventListener("click", () => choose(Number(link.dataset.step)));
  const batch = document.querySelector("svg.batch rect.differs");
  if (batch) { const box = batch.closest(".scroll"); box.scrollLeft = Math.max(0, Number(batch.getAttribute("x")) - 60); }
  for (const one of drawings) one();
  performance.mark("reproof-ready");
  document.documentElement.dataset.ready = "true";
})();
