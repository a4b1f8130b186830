// The run over time: command age and reaction, below them a lane for each kind of miss and for each rung.

const STEPS_S = [1, 10, 100, 1000, 1e4, 1e5, 1e6].flatMap((ten) => [1e-3 * ten, 2e-3 * ten, 5e-3 * ten]);
const RUNGS = ["drop", "overrun", "predict", "fallback", "continue", "hold", "stop"];

function timeline(figure, series, width) {
  const { command_age: age, reaction } = series.timeline;
  const lanes = series.marks.filter((lane) => lane.n > 0).map((lane) => ({ ...lane, look: laneLook(lane) }));
  if (!age.n && !reaction.n && !lanes.length) return null;
  const whole = series.span_s[1] > series.span_s[0] ? series.span_s : [series.span_s[0], series.span_s[0] + 1];
  let shown = figure.shownRange || whole.slice();
  const narrow = width < 600, left = narrow ? 44 : 168;

  const buttons = {
    "earlier": ["◀", () => move(-0.5, 1)], "later": ["▶", () => move(0.5, 1)],
    "closer": ["+", () => move(0, 0.5)], "farther": ["−", () => move(0, 2)], "whole run": ["whole run", () => show(...whole)],
  };
  const tools = make("div", { class: "tools" });
  for (const [label, [text, act]] of Object.entries(buttons)) {
    const button = make("button", { type: "button", "aria-label": label, title: label }, text);
    button.addEventListener("click", act);
    tools.append(button);
  }
  const status = make("output");
  tools.append(status);

  const keys = make("div", { class: "keys" });
  const lines = [["command_age", { stroke: token("quiet"), width: 1.5, dash: [] }], ["reaction", { stroke: token("path"), width: 4, dash: [4, 5] }]];
  const hidden = (figure.hiddenNames = figure.hiddenNames || new Set());
  lines.forEach(([name, look], i) => {
    const button = make("button", { type: "button", "aria-pressed": String(!hidden.has(name)) }, line(look), words(name));
    button.addEventListener("click", () => {
      hidden.has(name) ? hidden.delete(name) : hidden.add(name);
      button.setAttribute("aria-pressed", String(!hidden.has(name)));
      course.setSeries(i + 1, { show: !hidden.has(name) });
    });
    keys.append(button);
  });
  tools.prepend(keys);
  keys.style.marginBottom = "0";

  const canvas = make("div"), below = make("div");
  figure.append(tools, canvas, below);
  const plots = [];
  const xAxis = {
    size: 34, space: narrow ? 64 : 90, incrs: STEPS_S,
    values: (_, ticks, axis, space, step) => ticks.map((tick) => tick.toFixed(Math.max(0, -Math.floor(Math.log10(step) + 1e-9))) + " s"),
  };
  const shared = {
    width, legend: { show: false }, select: { show: true },
    cursor: {
      y: false, drag: { x: true, y: false, setScale: false }, points: { size: 7 }, sync: { key: "timeline", scales: ["x", null] },
      bind: { dblclick: () => () => show(...whole) },
    },
  };
  const select = (u) => {
    const { left: from, width: wide } = u.select;
    if (wide > 3) show(u.posToVal(from, "x"), u.posToVal(from + wide, "x"));
    u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  };

  const course = age.n || reaction.n ? drawCourse() : null;
  if (lanes.length) drawLanes();

  function drawCourse() {
    const values = [...age.ms.filter((ms) => ms !== null), ...reaction.ms].map((ms) => Math.max(ms, 1e-3));
    const limits = [["command_age", age.limit_ms], ["reaction", reaction.limit_ms]].filter(([, limit]) => limit !== null);
    const low = Math.min(...values, ...limits.map(([, limit]) => limit)) / 1.3;
    const high = Math.max(...values, ...limits.map(([, limit]) => limit)) * 1.3;
    let box = null;
    const plot = new uPlot(
      {
        ...shared, height: narrow ? 260 : 300,
        scales: { x: { time: false, range: () => shown }, y: { distr: 3, range: () => [low, high] } },
        axes: [
          axis(lanes.length ? { ...xAxis, size: 10, values: (_, ticks) => ticks.map(() => "") } : xAxis),
          axis({
            size: left, splits: () => rungsOf(low, high), filter: (_, ticks) => ticks,
            values: (_, ticks) => ticks.map((tick) => tick + (narrow ? "" : " ms")),
          }),
        ],
        series: [
          {},
          { label: "command age", stroke: token("quiet"), width: 1.25, spanGaps: false, points: { show: false }, show: !hidden.has("command_age") },
          { label: "reaction", stroke: token("path"), paths: () => null, points: { show: true, size: 4, width: 1, fill: token("path") }, show: !hidden.has("reaction") },
        ],
        hooks: {
          init: [(u) => { box = tip(u.over); }],
          drawClear: [(u) => { spans(u, true); }],
          draw: [(u) => { episodes(u, true); late(u); bounds(u, limits); figure.dataset.rendered = "yes"; }],
          setSelect: [select],
          setCursor: [(u) => point(u, box)],
        },
      },
      uPlot.join([[age.t_s, age.ms], [reaction.t_s, reaction.ms]]),
      canvas,
    );
    plots.push(plot);
    return plot;
  }

  function point(u, box) {
    const { left: x, top: y } = u.cursor;
    if (x === undefined || x < 0 || y < 0) return box.hide();
    const at = u.posToVal(x, "x"), reach = ((shown[1] - shown[0]) * 8) / u.over.clientWidth;
    const rows = [["command_age", age, "quiet"], ["reaction", reaction, "path"]].filter(([name]) => !hidden.has(name)).map(([name, of, colour]) => {
      const i = nearest(of.t_s, at);
      const near = i >= 0 && of.ms[i] !== null && Math.abs(of.t_s[i] - at) <= Math.max(reach, 0.25);
      return near ? [swatch(colour), words(name), milliseconds(of.ms[i]) + (of.limit_ms === null ? "" : " of " + of.limit_ms) + " ms"] : null;
    }).filter(Boolean);
    const span = series.spans.from_s.findIndex((from, i) => from <= at && at <= series.spans.to_s[i]);
    if (span >= 0) rows.push([swatch("rung-" + RUNGS.indexOf(series.spans.rung[span])), "control loop", series.spans.rung[span]]);
    rows.length ? box.show(x, y, seconds(at, Math.min(19, shown[1] - shown[0])), rows) : box.hide();
  }

  function drawLanes() {
    const tall = narrow ? 30 : 22;
    let box = null;
    const plot = new uPlot(
      {
        ...shared, height: lanes.length * tall + 40,
        scales: { x: { time: false, range: () => shown }, y: { dir: -1, range: () => [0, lanes.length] } },
        axes: [
          axis(xAxis),
          axis({
            size: left, splits: () => lanes.map((_, i) => i + 0.5), ticks: { show: false }, grid: { show: false }, gap: 8,
            values: () => lanes.map((lane) => (narrow ? "" : laneName(lane))),
          }),
        ],
        series: [{}, { show: true, points: { show: false } }],
        hooks: {
          init: [(u) => { box = tip(u.over); }],
          drawClear: [(u) => { spans(u, false); }],
          draw: [(u) => { episodes(u, false); lanes.forEach((lane, i) => marks(u, lane, i, tall)); figure.dataset.rendered = "yes"; }],
          setSelect: [select],
          setCursor: [(u) => mark(u, box)],
        },
      },
      [whole, [null, null]],
      below,
    );
    plots.push(plot);
  }

  function marks(u, lane, index, tall) {
    const ratio = devicePixelRatio, draw = u.ctx, edge = u.bbox.left;
    const top = u.bbox.top + index * (u.bbox.height / lanes.length), high = u.bbox.height / lanes.length;
    draw.save();
    draw.fillStyle = token("faint");
    draw.fillRect(edge, top + high - ratio, u.bbox.width, ratio);
    if (narrow) {
      draw.fillStyle = token("quiet");
      draw.font = sized(11);
      draw.textAlign = "left";
      draw.textBaseline = "alphabetic";
      draw.fillText(laneName(lane), edge + 4 * ratio, top + 12 * ratio);
    }
    draw.beginPath();
    draw.rect(edge, u.bbox.top, u.bbox.width, u.bbox.height);
    draw.clip();
    draw.fillStyle = draw.strokeStyle = lane.look.colour;
    draw.lineWidth = 1.5 * ratio;
    const middle = top + (narrow ? high - 9 * ratio : high / 2), half = 6 * ratio;
    lane.t_s.forEach((at) => {
      if (at < shown[0] || at > shown[1]) return;
      const x = u.valToPos(at, "x", true);
      if (lane.look.shape === "tick") return draw.fillRect(x - ratio, middle - half, 2 * ratio, 2 * half);
      draw.beginPath();
      draw.arc(x, middle, 4 * ratio, 0, 2 * Math.PI);
      lane.look.shape === "ring" ? draw.stroke() : draw.fill();
    });
    draw.restore();
  }

  function mark(u, box) {
    const { left: x, top: y } = u.cursor;
    if (x === undefined || x < 0 || y < 0 || !u.over.matches(":hover")) return box.hide();
    const lane = lanes[Math.floor((y / u.over.clientHeight) * lanes.length)];
    const i = lane ? nearest(lane.t_s, u.posToVal(x, "x")) : -1;
    if (i < 0 || Math.abs(u.valToPos(lane.t_s[i], "x") - x) > 10) return box.hide();
    const limit = Array.isArray(lane.limit_ms) ? lane.limit_ms[i] : lane.limit_ms;
    const rows = [];
    if (lane.reason) rows.push([null, lane.reason[i], lane.stage[i] || ""]);
    if (lane.value_ms[i] || limit) rows.push([null, "found", milliseconds(lane.value_ms[i]) + " ms"]);
    if (limit) rows.push([null, "limit", limit + " ms"]);
    if (lane.slack_ms && lane.slack_ms[i]) rows.push([null, "slack", milliseconds(lane.slack_ms[i]) + " ms"]);
    if (lane.count[i] > 1) rows.push([null, lane.count[i] + " here", "the largest is shown"]);
    box.show(x, y, laneName(lane) + " at " + lane.t_s[i].toFixed(3) + " s", rows);
  }

  // Times in which the control loop went on, held or was stopped.
  function spans(u, named) {
    const ratio = devicePixelRatio, draw = u.ctx, { from_s, to_s, rung } = series.spans;
    draw.save();
    draw.beginPath();
    draw.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
    draw.clip();
    from_s.forEach((from, i) => {
      if (to_s[i] < shown[0] || from > shown[1]) return;
      const x = u.valToPos(from, "x", true), wide = Math.max(u.valToPos(to_s[i], "x", true) - x, ratio);
      const colour = token("rung-" + RUNGS.indexOf(rung[i]));
      draw.globalAlpha = rung[i] === "continue" ? 0.12 : 0.2;
      draw.fillStyle = colour;
      draw.fillRect(x, u.bbox.top, wide, u.bbox.height);
      draw.globalAlpha = 1;
      if (!named) return;
      draw.fillRect(x, u.bbox.top, wide, 4 * ratio);
      draw.font = sized(12);
      draw.textAlign = "left";
      draw.textBaseline = "alphabetic";
      if (draw.measureText(rung[i]).width + 8 * ratio < wide) {
        draw.fillStyle = token("ink");
        draw.fillText(rung[i], Math.max(x, u.bbox.left) + 4 * ratio, u.bbox.top + 18 * ratio);
      }
    });
    draw.restore();
  }

  function episodes(u, named) {
    const ratio = devicePixelRatio, draw = u.ctx, { t_s, number } = series.episodes;
    let last = -Infinity;
    draw.save();
    draw.font = sized(11);
    draw.textAlign = "left";
    draw.textBaseline = "alphabetic";
    t_s.forEach((at, i) => {
      if (at < shown[0] || at > shown[1] || t_s.length < 2) return;
      const x = u.valToPos(at, "x", true);
      if (x - last < 4 * ratio) return;
      draw.fillStyle = token("rule");
      draw.fillRect(x - ratio / 2, u.bbox.top, ratio, u.bbox.height);
      const text = "episode " + number[i];
      if (named && x - last > draw.measureText(text).width + 10 * ratio && x + draw.measureText(text).width < u.bbox.left + u.bbox.width) {
        draw.fillStyle = token("quiet");
        draw.fillText(text, x + 4 * ratio, u.bbox.top + u.bbox.height - 5 * ratio);
        last = x;
      }
    });
    draw.restore();
  }

  // Reactions later than the deadline stand out.
  function late(u) {
    if (reaction.limit_ms === null || hidden.has("reaction")) return;
    const draw = u.ctx;
    draw.save();
    draw.fillStyle = token("bad");
    reaction.t_s.forEach((at, i) => {
      if (reaction.ms[i] <= reaction.limit_ms || at < shown[0] || at > shown[1]) return;
      draw.beginPath();
      draw.arc(u.valToPos(at, "x", true), u.valToPos(reaction.ms[i], "y", true), 3.5 * devicePixelRatio, 0, 2 * Math.PI);
      draw.fill();
    });
    draw.restore();
  }

  function bounds(u, limits) {
    const ratio = devicePixelRatio, draw = u.ctx;
    draw.save();
    draw.font = sized(12);
    draw.textBaseline = "alphabetic";
    draw.lineJoin = "round";
    draw.textAlign = "right";
    limits.filter(([name]) => !hidden.has(name)).forEach(([name, limit]) => {
      const y = u.valToPos(limit, "y", true), right = u.bbox.left + u.bbox.width;
      draw.strokeStyle = draw.fillStyle = token("bad");
      draw.setLineDash([6 * ratio, 4 * ratio]);
      draw.lineWidth = ratio;
      draw.beginPath();
      draw.moveTo(u.bbox.left, y);
      draw.lineTo(right, y);
      draw.stroke();
      const text = words(name) + " limit " + limit + " ms";
      draw.setLineDash([]);
      draw.lineWidth = 4 * ratio;
      draw.strokeStyle = token("card");
      draw.strokeText(text, right - 4 * ratio, y - 5 * ratio);
      draw.fillText(text, right - 4 * ratio, y - 5 * ratio);
    });
    draw.restore();
  }

  function move(by, times) {
    const middle = (shown[0] + shown[1]) / 2 + by * (shown[1] - shown[0]), half = ((shown[1] - shown[0]) * times) / 2;
    show(middle - half, middle + half);
  }

  function show(from, to) {
    const wide = Math.min(Math.max(to - from, 0.02), whole[1] - whole[0]);
    from = Math.min(Math.max((from + to - wide) / 2, whole[0]), whole[1] - wide);
    figure.shownRange = shown = [from, from + wide];
    plots.forEach((plot) => plot.setScale("x", { min: shown[0], max: shown[1] }));
    say();
  }

  function say() {
    const thinned = age.n > age.shown ? ` ${age.shown} of ${age.n} commands drawn.` : "";
    const wide = shown[1] - shown[0];
    status.textContent = seconds(shown[0], wide) + " to " + seconds(shown[1], wide) + "." + thinned;
  }

  say();
  return { show, plots };
}

function laneName(lane) {
  if (lane.lane === "back") return "back to normal";
  return lane.kind === "miss" ? words(lane.lane) + " missed" : RUNGS.indexOf(lane.lane) + " " + lane.lane;
}

function laneLook(lane) {
  if (lane.kind === "miss") return { shape: "tick", colour: style(lane.lane).stroke };
  if (lane.lane === "back") return { shape: "ring", colour: token("good") };
  return { shape: "dot", colour: token("rung-" + RUNGS.indexOf(lane.lane)) };
}

function swatch(colour) {
  const found = make("i");
  found.style.background = token(colour);
  return found;
}

// Index of the instant that is nearest, in a list that does not fall; -1 of an empty one.
function nearest(instants, at) {
  let low = 0, high = instants.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    instants[middle] < at ? (low = middle + 1) : (high = middle);
  }
  return low > 0 && at - instants[low - 1] < instants[low] - at ? low - 1 : instants.length ? low : -1;
}
