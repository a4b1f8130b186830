// How often anything took longer: complementary distributions on logarithmic axes.

const FINEST_MS = 0.001;

function distribution(figure, ccdf, width) {
  const measured = Object.keys(ccdf).filter((name) => ccdf[name].n > 0);
  const names = measured.filter((name) => ccdf[name].ms[ccdf[name].ms.length - 1] > FINEST_MS);
  if (!names.length) return null;
  const limits = names.map((name) => ccdf[name].limit_ms).filter((limit) => limit !== null);
  const most = Math.max(...names.map((name) => ccdf[name].n));
  const floor = 10 ** Math.floor(Math.log10(Math.min(1 / most, 0.004)) + 1e-9);
  // what nearly all durations took has no news on its left
  const low = Math.min(...names.map((name) => ccdf[name].ms[Math.max(0, ccdf[name].fraction.findIndex((part) => part < 0.95) - 1)]), ...limits);
  const high = Math.max(...names.map((name) => ccdf[name].ms[ccdf[name].ms.length - 1]), ...limits);
  const range = [low / 1.6, high * 1.6];
  const hidden = (figure.hiddenNames = figure.hiddenNames || new Set());

  // Each value holds from the duration before it: all were at least as long as the shortest, none as anything longer.
  const tables = names.map((name) => {
    const { ms, fraction } = ccdf[name];
    const x = [Math.min(range[0], ms[0]) / 2], y = [1];
    ms.forEach((value, i) => {
      if (value > x[x.length - 1]) {
        x.push(value);
        y.push(fraction[i]);
      }
    });
    x.push(x[x.length - 1] * (1 + 1e-9));
    y.push(floor / 10);
    return [x, y];
  });

  const keys = make("div", { class: "keys" });
  names.forEach((name, i) => {
    const button = make("button", { type: "button", "aria-pressed": String(!hidden.has(name)) }, line(style(name)), words(name));
    button.addEventListener("click", () => {
      hidden.has(name) ? hidden.delete(name) : hidden.add(name);
      button.setAttribute("aria-pressed", String(!hidden.has(name)));
      plot.setSeries(i + 1, { show: !hidden.has(name) });
    });
    keys.append(button);
  });

  const canvas = make("div"), never = measured.filter((name) => !names.includes(name));
  figure.append(keys, canvas);
  if (never.length) figure.append(make("p", { class: "quiet" }, never.map(words).join(", ") + ": never more than a microsecond"));
  let box = null;
  const narrow = width < 600;
  const named = { 0.1: "p90", 0.01: "p99", 0.001: "p99.9" };
  const plot = new uPlot(
    {
      width, height: narrow ? 320 : 400, legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
      scales: {
        x: { time: false, distr: 3, range: () => range },
        y: { distr: 3, range: () => [floor, 1] },
      },
      axes: [
        axis({
          size: 34, label: "duration [ms]", splits: () => rungsOf(...range), filter: (_, ticks) => ticks,
          values: (_, ticks) => ticks.map(String), space: narrow ? 30 : 50,
        }),
        axis({
          size: narrow ? 58 : 92,
          values: (_, ticks) => ticks.map((tick) => {
            if (tick === null) return "";
            const name = named[+tick.toPrecision(2)];
            return (name && !narrow ? name + "   " : "") + portion(tick);
          }),
        }),
      ],
      series: [{}, ...names.map((name) => ({
        ...style(name), label: name, show: !hidden.has(name), spanGaps: true, points: { show: false },
        paths: uPlot.paths.stepped({ align: -1 }),
      }))],
      hooks: {
        init: [(u) => { box = tip(u.over); }],
        draw: [(u) => { clauses(u); figure.dataset.rendered = "yes"; }],
        setCursor: [point],
      },
    },
    uPlot.join(tables),
    canvas,
  );

  function clauses(u) {
    const draw = u.ctx, size = 6 * devicePixelRatio;
    const limited = names.map((name, i) => {
      const { limit_ms: limit, statistic, ms, fraction } = ccdf[name];
      const longer = limit === null ? -1 : ms.findIndex((value) => value > limit), of_p99 = statistic === "p99";
      return { name, limit, of_p99, shown: u.series[i + 1].show, broken: longer >= 0 && (!of_p99 || fraction[longer] > 0.01) };
    });
    // limits may be the same: a broken one is in front
    for (const { name, limit, of_p99, broken } of limited.filter((one) => one.limit !== null && one.shown).sort((a, b) => a.broken - b.broken)) {
      const x = u.valToPos(limit, "x", true), y = of_p99 ? u.valToPos(0.01, "y", true) : u.bbox.top + u.bbox.height - size;
      draw.save();
      draw.setLineDash([]);
      draw.beginPath();
      draw.moveTo(x, y - size);
      draw.lineTo(x + size, of_p99 ? y : y + size);
      if (of_p99) draw.lineTo(x, y + size);
      draw.lineTo(x - size, of_p99 ? y : y + size);
      draw.closePath();
      draw.strokeStyle = style(name).stroke;
      draw.fillStyle = broken ? draw.strokeStyle : token("card");
      draw.lineWidth = 2 * devicePixelRatio;
      draw.fill();
      draw.stroke();
      draw.restore();
    }
  }

  function point(u) {
    const { left, top } = u.cursor;
    if (left === undefined || left < 0) return box.hide();
    const ms = u.posToVal(left, "x");
    const rows = names.filter((name) => !hidden.has(name)).map((name) => {
      const known = ccdf[name], at = known.ms.findIndex((value) => value >= ms);
      return [line(style(name)), words(name), at < 0 ? "never" : portion(known.fraction[at])];
    });
    box.show(left, top, "took at least " + milliseconds(ms) + " ms", rows);
  }

  return { plots: [plot] };
}
