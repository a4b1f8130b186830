// Draws the plots, and draws them again when the width, the colour scheme or the paper asks for it.

const series = JSON.parse(document.getElementById("series").textContent);
const page = document.documentElement;
const drawn = {};
const PAPER = 690;

function draw(identity, plot, nothing) {
  const figure = document.getElementById(identity);
  if (drawn[identity]) drawn[identity].plots.forEach((plot) => plot.destroy());
  drawn[identity] = null;
  figure.replaceChildren();
  try {
    const width = page.dataset.paper ? PAPER : figure.clientWidth - parseFloat(getComputedStyle(figure).paddingLeft) * 2;
    drawn[identity] = plot(figure, width);
    if (drawn[identity]) return;
    figure.append(make("p", { class: "empty" }, nothing));
    figure.dataset.rendered = "empty";
  } catch (error) {
    figure.replaceChildren(make("p", { class: "empty" }, "This plot could not be drawn: " + error.message));
    figure.dataset.rendered = "failed";
    console.error(error);
  }
}

function drawAll() {
  draw("ccdf", (figure, width) => distribution(figure, series.ccdf || {}, width), "Nothing was measured.");
  draw("course", (figure, width) => timeline(figure, series, width), "No command was sent, no limit missed and nothing decided.");
}

let width = innerWidth;
addEventListener("resize", () => {
  if (innerWidth !== width && !page.dataset.paper) {
    width = innerWidth;
    requestAnimationFrame(drawAll);
  }
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
addEventListener("beforeprint", () => {
  page.dataset.paper = "yes";
  drawAll();
});
addEventListener("afterprint", () => {
  delete page.dataset.paper;
  drawAll();
});

// The moments that tables and frames name can be seen in the timeline.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-from]");
  if (!link || !drawn.course) return;
  const from = Number(link.dataset.from), to = Number(link.dataset.to), around = Math.max(0.25, to - from);
  drawn.course.show(from - around, to + around);
});

drawAll();
