// What both plots share: colours of the present scheme, figures as text, a legend, a box of values at the pointer.

const STYLES = {
  capture: {}, detect: {}, localize: { dash: [8, 3] }, track: { dash: [3, 3] }, plan: {}, ik: { dash: [8, 3, 2, 3] },
  send: { dash: [2, 4] }, reaction: { colour: "path", width: 2.5 }, command_age: { colour: "path", dash: [9, 4] },
  control_lateness: { colour: "path", dash: [2, 3] },
};

function token(name) {
  return getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
}

function style(name) {
  const found = STYLES[name] || {};
  return { stroke: token(found.colour || name), dash: found.dash || [], width: found.width || 1.75 };
}

function words(name) {
  return name.replace(/_/g, " ");
}

function milliseconds(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size < 0.0995) return value.toFixed(3);
  return size < 99.995 ? value.toFixed(2) : size < 999.95 ? value.toFixed(1) : value.toFixed(0);
}

function seconds(value, span) {
  return value.toFixed(span < 1 ? 3 : span < 20 ? 2 : span < 120 ? 1 : 0) + " s";
}

function portion(fraction) {
  return String(+(100 * fraction).toPrecision(fraction < 0.01 ? 2 : 3)) + " %";
}

// An element; children may be text, which stays text.
function make(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

function line(look) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const stroke = document.createElementNS("http://www.w3.org/2000/svg", "line");
  const set = { x1: 0, x2: 22, y1: 5, y2: 5, stroke: look.stroke, "stroke-width": look.width, "stroke-dasharray": look.dash.join(" ") };
  for (const [key, value] of Object.entries(set)) stroke.setAttribute(key, value);
  for (const [key, value] of Object.entries({ width: 22, height: 10, "aria-hidden": "true" })) svg.setAttribute(key, value);
  svg.append(stroke);
  return svg;
}

// A box of values that stays inside the plot; rows are [swatch or null, label, value].
function tip(over) {
  const box = make("div", { class: "tip" });
  box.hidden = true;
  over.append(box);
  return {
    show(left, top, head, rows) {
      box.replaceChildren(
        make("p", { class: "head" }, head),
        ...rows.map(([swatch, label, value]) => {
          const text = make("span", {}, label);
          if (swatch) text.prepend(swatch);
          return make("p", {}, text, make("span", {}, value));
        }),
      );
      box.hidden = false;
      const right = left + 14 + box.offsetWidth <= over.clientWidth;
      box.style.left = Math.max(0, right ? left + 14 : left - 14 - box.offsetWidth) + "px";
      box.style.top = Math.max(0, Math.min(top + 12, over.clientHeight - box.offsetHeight)) + "px";
    },
    hide() {
      box.hidden = true;
    },
  };
}

function axis(more) {
  const font = "12px system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', sans-serif";
  return Object.assign(
    {
      stroke: token("quiet"), font, labelFont: font, labelSize: 20,
      grid: { stroke: token("faint"), width: 1 }, ticks: { stroke: token("rule"), width: 1, size: 5 },
    },
    more,
  );
}

// 1, 2, 5, 10, 20, 50, ... of an axis; fewer where it is long.
function rungsOf(low, high) {
  const steps = Math.log10(high / low) > 3.2 ? [1] : [1, 2, 5], found = [];
  for (let decade = Math.floor(Math.log10(low)); decade <= Math.log10(high); decade++) {
    found.push(...steps.map((step) => +(step * 10 ** decade).toPrecision(3)));
  }
  return found.filter((value) => low <= value && value <= high);
}

function sized(pixels) {
  return pixels * devicePixelRatio + "px system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', sans-serif";
}
